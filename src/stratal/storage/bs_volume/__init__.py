"""Block-storage volumes: the disks that can be written to."""
