"""Bridged networks, which guests' interfaces are on."""
