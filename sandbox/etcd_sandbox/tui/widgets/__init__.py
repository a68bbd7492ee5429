"""The parts of the dashboard, one a file; each is told what to show and asks nobody."""
