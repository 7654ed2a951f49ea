"""Finding faces and following them from frame to frame."""
