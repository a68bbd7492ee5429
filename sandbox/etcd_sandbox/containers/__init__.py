"""Container engines before anything runs: which there are, and the images with etcd in them."""

from etcd_sandbox.containers.engine import engine_version, find_engine
from etcd_sandbox.containers.image import image_chooser

__all__ = ["engine_version", "find_engine", "image_chooser"]
