"""Training, evaluation and export of emotion networks (Keras 3, any of its backends)."""
