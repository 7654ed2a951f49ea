"""Media files: the FFmpeg program, probing, safe opening, containers, orientation and image files."""
