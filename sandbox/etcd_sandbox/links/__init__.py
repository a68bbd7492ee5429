"""The peer links: a process of its own that stands between the members and can cut or delay them."""
