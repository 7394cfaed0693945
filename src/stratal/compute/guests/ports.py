"""What compute needs of networks: a place to plug a guest's interface in. Given by the composition root."""

from dataclasses import dataclass
from typing import Protocol

from stratal.kernel.reconcile import Look


@dataclass(frozen=True, kw_only=True)
class PortWish:
    """What the interface of a guest needs."""

    vm_nic_id: int
    br_net_id: int
    mac: str
    link_up: bool
    queues: int
    #: kbit/s towards the guest; 0: no limit
    in_kbps: int
    #: kbit/s from the guest; 0: no limit
    out_kbps: int
    #: to be kept for it
    ip_address: str | None


@dataclass(frozen=True, kw_only=True)
class Port:
    """A tap device that is plugged into its network."""

    tap: str
    mtu: int
    #: the resource of the bridge that it is in
    bridge_id: int | None


class Ports(Protocol):
    def plug(self, look: Look, wish: PortWish) -> Port:
        """A tap in its network, as wished. Idempotent. Raises Unavailable while the network is not there."""
        ...

    def unplug(self, look: Look, vm_nic_id: int) -> None:
        """Remove the tap and what was kept for it. Idempotent."""
        ...

    def addresses(self, look: Look, vm_nic_id: int, mac: str) -> tuple[str, ...]:
        """What the network has learnt of the interface's addresses."""
        ...
