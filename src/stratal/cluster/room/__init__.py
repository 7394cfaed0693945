"""Rooms: the level of the topology below data centres."""
