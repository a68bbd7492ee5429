"""The same cluster for another tool: a ClusterSpec in, a text out. Pure."""
