"""Virtual machines on their way from one node to another, as users see it."""
