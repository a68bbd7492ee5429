"""A living etcd cluster: its processes married to what its members say."""
