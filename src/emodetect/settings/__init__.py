"""Settings with all defaults."""
