"""Data centres: the top level of the topology."""
