"""The dashboard: a terminal program that watches a cluster and acts on it through its control API."""
