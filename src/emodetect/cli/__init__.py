"""The command line. Command modules are imported when they are run; errors become one line and an exit code."""
