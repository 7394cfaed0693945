"""Label values: what is attached to resources, each a value of one label key."""
