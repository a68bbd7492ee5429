"""The Python API: a cluster as a context manager. `from etcd_sandbox import Cluster, AsyncCluster`."""
