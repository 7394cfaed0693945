"""Network interfaces of virtual machines."""
