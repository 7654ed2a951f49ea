"""Defaults of the summary of many inputs; imported without NumPy."""

BLOCK_SECONDS = 10.0
"""Length of a block of the bootstrap."""

FIGURE_SIZE = 85.0, 60.0
"""Width and height of the figure, mm: one column of a journal."""
