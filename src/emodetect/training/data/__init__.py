"""Labeled faces: reading, splitting, augmenting."""
