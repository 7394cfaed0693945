"""Bridges: a network's part on one node."""
