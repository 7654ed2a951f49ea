"""Training, evaluation and export of emotion networks (Keras 3, with any of its backends)."""
