"""The operating system and the environment."""
