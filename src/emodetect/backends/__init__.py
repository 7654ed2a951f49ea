"""Emotion backends: anything that turns face crops into scores."""
