"""Snapshots: saved from a cluster, and a cluster restored from one."""
