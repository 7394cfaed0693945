"""The disks in snapshots of virtual machines."""
