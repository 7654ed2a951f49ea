"""Defaults of the summary of several inputs; imported without NumPy."""

BLOCK_SECONDS = 10.0
"""Block length of the block bootstrap, seconds."""

FIGURE_SIZE = 85.0, 60.0
"""Width and height of the figure, mm: one journal column."""
