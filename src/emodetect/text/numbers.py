"""Numbers that come from outside, as options or in logs."""

MOST_NUMBER = 1e9
"""The largest number that an option or a time in a log may be: a billion seconds are 31 years. Larger ones overflow somewhere."""
