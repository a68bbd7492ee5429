"""A model of etcd and of the processes that run it, on a clock that jumps: for tests of `cluster/`."""
