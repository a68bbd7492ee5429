"""etcd-sandbox: run a real etcd cluster on one machine, break it on purpose, understand what happens."""

__version__ = "0.1.0"
