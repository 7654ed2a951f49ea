"""Where results go: every class here is a sink."""
