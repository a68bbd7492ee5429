"""The Python API: a cluster as a context manager. `from sandbox import Cluster, AsyncCluster`."""
