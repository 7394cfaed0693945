"""Virtual machines: what runs guests."""
