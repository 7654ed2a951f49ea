"""Training, judging and exporting of emotion networks (Keras 3, any of its backends)."""
