"""The one door: HTTP/JSON over a Unix socket, served by the supervisor and used by everyone else."""
