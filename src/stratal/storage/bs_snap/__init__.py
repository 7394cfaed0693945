"""Snapshots of volumes: moments that one can go back to and clone from."""
