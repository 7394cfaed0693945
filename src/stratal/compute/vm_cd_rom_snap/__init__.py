"""The CD-ROM drives in snapshots of virtual machines."""
