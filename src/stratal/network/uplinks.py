"""What a switch's network cards on one node are to be. Pure; called by reconcilers."""

from collections.abc import Sequence

from stratal.kernel.store import Resource
from stratal.network.drivers.contract import BondMode, UplinkWanted
from stratal.network.nic.model import NicSpec, NicStatus
from stratal.network.vsw.model import VswSpec


def uplink_of(switch: VswSpec, nics: Sequence[Resource[NicSpec, NicStatus]]) -> UplinkWanted | None:
    """The uplink that these cards of one node make; None for none."""
    if not nics:
        return None
    return UplinkWanted(
        interfaces=tuple(sorted(nic.spec.name for nic in nics)),
        bond_mode=switch.bond_mode or BondMode.ACTIVE_BACKUP,
        mtu=switch.mtu,
    )
