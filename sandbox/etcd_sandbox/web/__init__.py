"""The dashboard in a browser: who is let in, where it listens, one dashboard process a browser."""
