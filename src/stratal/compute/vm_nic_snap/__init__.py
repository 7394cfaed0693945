"""The network interfaces in snapshots of virtual machines."""
