"""Trees: connected sets of layers in one place, what is decided about them, and what makes it real."""
