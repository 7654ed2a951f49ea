"""Text for people: printable characters, and suggestions."""
