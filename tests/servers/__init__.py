"""Real servers for tests, each a context manager on loopback with free ports and its own processes."""
