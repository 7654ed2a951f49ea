"""Benchmarks of emodetect on this machine, and of the tutorial loops for comparison."""
