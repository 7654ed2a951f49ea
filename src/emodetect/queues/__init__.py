"""Hand-over between threads."""
