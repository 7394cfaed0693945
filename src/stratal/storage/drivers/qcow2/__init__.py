"""Layers as qcow2 files in a directory, with qemu-img and qemu-nbd doing the work."""

from stratal.storage.drivers.qcow2.driver import Qcow2Driver

__all__ = ["Qcow2Driver"]
