"""Virtual switches: what networks have in common, above all their uplinks."""
