"""The operating system: processes, files, the environment, the display."""
