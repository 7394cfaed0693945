"""Speaking to a server over HTTP, and showing what it says. Knows nothing of how a server is made."""
