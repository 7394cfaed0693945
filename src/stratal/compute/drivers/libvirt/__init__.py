"""Machines as QEMU processes under libvirt.

python3-libvirt is Debian's and untyped; `binding` is the only module that imports it.
"""

from stratal.compute.drivers.libvirt.driver import LibvirtHypervisor
from stratal.compute.drivers.libvirt.host import HostProbe

__all__ = ["HostProbe", "LibvirtHypervisor"]
