"""Sinks: outputs for frames and their results."""
