"""CD-ROM drives of virtual machines."""
