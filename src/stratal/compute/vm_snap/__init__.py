"""Snapshots of virtual machines: one moment of all disks, and the configuration of then."""
