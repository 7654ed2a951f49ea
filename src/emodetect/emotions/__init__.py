"""Emotion scores over time."""
