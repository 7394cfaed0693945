"""Networks by the Linux kernel: bridges, taps, VLAN devices, bonds, namespaces, and dnsmasq for addresses."""

from stratal.network.drivers.linux.driver import LinuxNetwork
from stratal.network.drivers.linux.names import tag_of

__all__ = ["LinuxNetwork", "tag_of"]
