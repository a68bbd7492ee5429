"""Processes: starting, watching, stopping them, and keeping what they write. Knows nothing of etcd."""
