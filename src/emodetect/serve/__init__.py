"""`emodetect serve`: an HTTP and WebSocket server, and its page. Needs the packages of the extra ``serve``."""
