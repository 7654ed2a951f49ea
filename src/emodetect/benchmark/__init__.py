"""Measuring how fast emodetect is on this machine, and the tutorial loop beside it."""
