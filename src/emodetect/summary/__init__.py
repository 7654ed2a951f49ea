"""Summary of many inputs as one table for statistics."""
