"""Screens over the dashboard, one a file."""
