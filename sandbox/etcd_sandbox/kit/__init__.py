"""The kit: one directory with all that a machine without a network needs for the workshop."""
