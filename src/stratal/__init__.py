"""Stratal: a software-defined data centre for virtual machines and their disks."""

__version__ = "0.1.0"
