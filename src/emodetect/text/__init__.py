"""Text for users: printable characters, and suggestions."""
