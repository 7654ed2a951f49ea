"""A live session: tracking, classification, rendering, keys and the window."""
