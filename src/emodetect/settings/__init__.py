"""What the user may choose of the pipeline, with all defaults."""
