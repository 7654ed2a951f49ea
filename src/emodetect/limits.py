"""Limits of numbers that come from outside, whatever they mean."""

MOST_NUMBER = 1e9
"""The largest number that an option or a time in a log may be: a billion seconds are 31 years. Larger ones overflow somewhere."""
