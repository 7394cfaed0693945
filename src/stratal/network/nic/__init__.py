"""Interfaces of nodes that guests' traffic can leave by."""
