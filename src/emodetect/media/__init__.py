"""Media files: FFmpeg, probing, encoding, containers and images."""
