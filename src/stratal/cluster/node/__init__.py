"""Nodes: the machines that Stratal runs on, each reported on by its own process."""
