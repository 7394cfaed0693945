"""What this host can do for machines. Called by `stratal doctor`, which may not know a driver."""

from stratal.compute.drivers.libvirt.host import HostProbe, firmware


def why_not_kvm() -> str:
    """Empty if KVM works; it takes seconds to find out where it is there and does not."""
    _, reason = HostProbe().accelerator()
    return reason


def has_uefi() -> bool:
    """Whether there is firmware for guests that boot by UEFI."""
    return firmware() is not None
