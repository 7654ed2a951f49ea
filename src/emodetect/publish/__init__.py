"""Publishing of results to other programs while they are made: one module per protocol."""
