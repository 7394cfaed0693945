"""Disks of virtual machines: each attaches one volume to one machine."""
