"""Racks: the level of the topology below rooms."""
