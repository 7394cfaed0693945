"""Virtual machines: definitions that hypervisors carry out.

`domain` says what a machine is, as plain data; `drivers` make it run (QEMU under libvirt, memory); the kinds
are what users see of it.
"""

from stratal.compute.compute import KINDS, Compute
from stratal.compute.guests.defining import Places
from stratal.compute.guests.guests import Guests
from stratal.compute.guests_of import guests_of, ports_of
from stratal.compute.kept_disk import kept_disk_of
from stratal.compute.use import use_of
from stratal.compute.virtual_machine.bodies import VerifyGraphicsPassword, VirtualMachineClone
from stratal.compute.virtual_machine.reconcile import Timing, VirtualMachineReconciler
from stratal.compute.vm_snap.model import VmSnapMemory

__all__ = [
    "KINDS",
    "Compute",
    "Guests",
    "Places",
    "Timing",
    "VerifyGraphicsPassword",
    "VirtualMachineClone",
    "VirtualMachineReconciler",
    "VmSnapMemory",
    "guests_of",
    "kept_disk_of",
    "ports_of",
    "use_of",
]
