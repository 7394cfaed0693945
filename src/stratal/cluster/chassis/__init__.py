"""Chassis: the level of the topology that holds nodes."""
