"""The verbs as they are declared."""
