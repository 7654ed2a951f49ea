"""Publishing of results to other programs in real time: one module per protocol."""
