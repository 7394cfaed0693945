"""Namespaces of networks: where a network's DHCP service is, on one node."""
