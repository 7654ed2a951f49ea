"""Queues and tasks for threads."""
