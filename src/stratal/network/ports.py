"""Taps for interfaces of guests: what compute needs of networks. Called through the facade."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from stratal.kernel.reconcile import Look
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.network.br_net.model import BR_NET
from stratal.network.bridge.service import BridgeService
from stratal.network.drivers.contract import LARGEST_KBPS, NetworkDriver, PortWanted
from stratal.network.drivers.errors import BridgeMissing
from stratal.network.here import Here


@dataclass(frozen=True, kw_only=True)
class Port:
    """A tap that is plugged into its network."""

    tap: str
    mtu: int
    #: the resource of the bridge that it is in
    bridge_id: int | None


class Ports:
    """Plugs guests into the networks of this node."""

    def __init__(self, driver: NetworkDriver, here: Here, bridges: BridgeService, owner_uid: int) -> None:
        self._driver = driver
        self._here = here
        self._bridges = bridges
        self._owner_uid = owner_uid
        self._networks = Store(BR_NET)

    def device(self, vm_nic_id: int) -> str:
        """The name of an interface's tap, whether there is one or not."""
        return self._driver.port_device(vm_nic_id)

    def plug(
        self,
        look: Look,
        *,
        vm_nic_id: int,
        br_net_id: int,
        mac: str,
        link_up: bool = True,
        queues: int = 1,
        in_kbps: int = 0,
        out_kbps: int = 0,
    ) -> Port:
        """A tap in its network, as wished; limits of 0 are none. Idempotent.

        Raises Unavailable while the network is not there on this node, InterfaceInUse for what can't change
        while the guest runs (the number of queues from or to one).
        """
        mtu, bridge_id = look.read(lambda tx: self._place(tx, br_net_id))
        if mtu is None:
            raise BridgeMissing(network=br_net_id)
        look.check()
        state = self._driver.ensure_port(
            vm_nic_id,
            PortWanted(
                network=br_net_id,
                mac=mac.lower(),
                mtu=mtu,
                owner_uid=self._owner_uid,
                multi_queue=queues > 1,
                link=link_up,
                to_guest_kbps=_limit(in_kbps),
                from_guest_kbps=_limit(out_kbps),
            ),
        )
        return Port(tap=state.device, mtu=mtu, bridge_id=bridge_id)

    def unplug(self, look: Look, vm_nic_id: int) -> None:
        """Remove the tap. Idempotent."""
        look.check()
        self._driver.remove_port(vm_nic_id)

    def addresses(self, look: Look, vm_nic_id: int, mac: str) -> tuple[str, ...]:
        """What the network has learnt of an interface's addresses: leases, and what it heard of."""
        port = self._driver.observe_port(vm_nic_id)
        if port is None or port.network is None:
            return ()
        return tuple(self._driver.addresses(port.network).get(mac.lower(), ()))

    def reclaim(self, known: Callable[[Collection[int]], Collection[int]]) -> frozenset[int]:
        """Remove the taps on this node of interfaces that are not `known`, which is asked after they were
        seen: an interface is known before it has a tap. What a process has open stays. Returns what went."""
        there = self._driver.survey().ports
        stray = there - frozenset(known(there)) if there else there
        closed = {id for id in stray if (port := self._driver.observe_port(id)) is not None and not port.open}
        for id in closed:
            self._driver.remove_port(id)
        return frozenset(closed)

    def _place(self, transaction: Transaction, br_net_id: int) -> tuple[int | None, int | None]:
        network = self._networks.get(transaction, br_net_id, labels=False)
        if network is None or self._here.node_id is None:
            return None, None
        bridges = self._bridges.of(transaction, br_net_id=br_net_id, node_id=self._here.node_id)
        return network.spec.mtu, next((bridge.id for bridge in bridges), None)


def _limit(kbps: int) -> int | None:
    """None for no limit, and for one that no tap comes up to."""
    return kbps if 0 < kbps <= LARGEST_KBPS else None
