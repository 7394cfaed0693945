"""Bringing the devices of a running guest to what is wanted. Called by the reconciler of machines.

One pass asks for everything that is to change; what the guest made of it, the next look shows. What no guest
lets change while it runs waits for the next boot, and is told as the part's problem.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from stratal.compute import children
from stratal.compute.domain import CephCluster, Chain, Machine, MachineId
from stratal.compute.drivers.contract import Hypervisor
from stratal.compute.drivers.errors import CannotPlug
from stratal.compute.guests import defining
from stratal.compute.guests.images import address_of, chain_of
from stratal.compute.guests.wanted import Wanted
from stratal.compute.parts import PartKind
from stratal.kernel.errors import StratalError
from stratal.kernel.reconcile import Look
from stratal.network import Port, Ports
from stratal.storage import Keeper, Lender, Name, NameKind

_PATIENCE_SECONDS: Final = 2.0


@dataclass(kw_only=True)
class Outcome:
    """What a pass came to."""

    #: something was asked of the guest: look again
    changed: bool = False
    #: what stands in the way of a part
    problems: dict[tuple[PartKind, int], str] = field(default_factory=dict[tuple[PartKind, int], str])
    #: the resources of the bridges that interfaces are in, by the ids of those
    bridges: dict[int, int | None] = field(default_factory=dict[int, int | None])


class Devices:
    """The devices of guests on this host."""

    def __init__(
        self, hypervisor: Hypervisor, lender: Lender, ports: Ports, ceph: CephCluster | None
    ) -> None:
        self._hypervisor = hypervisor
        self._lender = lender
        self._ports = ports
        self._ceph = ceph
        self._lock = threading.Lock()
        #: when guests were asked for devices
        self._asked: dict[tuple[MachineId, str], float] = {}

    # -- for a guest that is to start ----------------------------------------------------------------

    def chain(self, look: Look, disk: children.Disk, keeper: Keeper) -> Chain:
        """All that a guest opens with the disk, lent from here on. Raises NotReady."""
        return chain_of(self._lender.lend(look, disk.spec.bs_volume_id, keeper), self._ceph)

    def medium(self, look: Look, drive: children.CdRom) -> Chain:
        """What is to be in a drive; empty for nothing. Raises NotReady."""
        if drive.spec.vm_image_id is None:
            return ()
        name = Name(kind=NameKind.IMAGE, id=str(drive.spec.vm_image_id))
        return chain_of(self._lender.show(look, name), self._ceph)

    def port(self, look: Look, nic: children.Nic) -> Port:
        """Its tap, plugged into its network as it is wanted. Raises Unavailable while that is not there."""
        return self._ports.plug(
            look,
            vm_nic_id=nic.id,
            br_net_id=nic.spec.br_net_id,
            mac=nic.spec.mac_address,
            link_up=nic.spec.link_up,
            queues=nic.spec.queue_num,
            in_kbps=nic.spec.in_bw_kbps,
            out_kbps=nic.spec.out_bw_kbps,
        )

    def unplug(self, look: Look, nic: children.Nic) -> None:
        self._ports.unplug(look, nic.id)

    def addresses(self, look: Look, nic: children.Nic) -> tuple[str, ...]:
        """What the network has learnt of an interface's addresses."""
        return self._ports.addresses(look, nic.id, nic.spec.mac_address)

    # -- for one that runs ---------------------------------------------------------------------------

    def align(self, look: Look, wanted: Wanted, machine: Machine, keeper: Keeper) -> Outcome:
        """Ask for all that differs. A part that can't be had keeps none of the others waiting."""
        outcome = Outcome()

        def attempt(kind: PartKind, id: int, act: Callable[[], bool]) -> None:
            look.check()
            try:
                outcome.changed |= act()
            except CannotPlug as error:
                outcome.problems[kind, id] = f"{error}: it waits for the next boot"
            except StratalError as error:
                outcome.problems[kind, id] = str(error)

        for disk in wanted.disks:
            attempt(PartKind.DISK, disk.id, lambda disk=disk: self._disk(look, wanted, machine, disk, keeper))
        for drive in wanted.cd_roms:
            attempt(PartKind.CD_ROM, drive.id, lambda drive=drive: self._drive(look, wanted, machine, drive))
        for nic in wanted.nics:
            attempt(PartKind.NIC, nic.id, lambda nic=nic: self._nic(look, wanted, machine, nic, outcome))
        outcome.changed |= self._strangers(look, wanted, machine)
        return outcome

    def _disk(
        self, look: Look, wanted: Wanted, machine: Machine, disk: children.Disk, keeper: Keeper
    ) -> bool:
        target = wanted.disk_targets[disk.id]
        state = machine.disks.get(target)
        if disk.spec.deletion_begin is not None:
            if state is not None:
                self._ask_back(wanted, target, self._hypervisor.detach_disk)
            return state is not None
        facts = wanted.volumes[disk.id]
        if state is None:
            chain = self.chain(look, disk, keeper)
            plug = defining.disk_of(disk, target=target, chain=chain, facts=facts)
            self._hypervisor.attach_disk(wanted.machine, plug)
            return True
        limits = defining.limits_of(disk, facts)
        if limits != state.limits:
            self._hypervisor.set_limits(wanted.machine, target, limits)
        return limits != state.limits

    def _drive(self, look: Look, wanted: Wanted, machine: Machine, drive: children.CdRom) -> bool:
        target = wanted.cd_rom_targets[drive.id]
        state = machine.cd_roms.get(target)
        if drive.spec.deletion_begin is not None:
            if state is not None:
                self._ask_back(wanted, target, self._hypervisor.detach_cd_rom)
            return state is not None
        medium = self.medium(look, drive)
        if state is None:
            plug = defining.cd_rom_of(drive, target=target, medium=medium)
            self._hypervisor.attach_cd_rom(wanted.machine, plug)
            return True
        if _addresses(medium)[:1] == _addresses(state.medium)[:1]:
            return False
        self._hypervisor.change_medium(wanted.machine, target, medium)
        return True

    def _nic(self, look: Look, wanted: Wanted, machine: Machine, nic: children.Nic, outcome: Outcome) -> bool:
        mac = nic.spec.mac_address
        state = machine.nics.get(mac)
        if nic.spec.deletion_begin is not None:
            if state is not None:
                self._ask_back(wanted, mac, self._hypervisor.detach_nic)
            return state is not None
        port = self.port(look, nic)
        outcome.bridges[nic.id] = port.bridge_id
        if state is None:
            self._hypervisor.attach_nic(wanted.machine, defining.nic_of(nic, port=port))
            return True
        if state.link_up == nic.spec.link_up:
            return False
        self._hypervisor.set_link(wanted.machine, mac, up=nic.spec.link_up)
        return True

    def _ask_back(self, wanted: Wanted, device: str, detach: Callable[[MachineId, str], None]) -> None:
        """Ask the guest for a device; again only after a while, for guests take their time."""
        key, now = (wanted.machine, device), time.monotonic()
        with self._lock:
            self._asked = {each: at for each, at in self._asked.items() if now - at < _PATIENCE_SECONDS}
            if key in self._asked:
                return
            self._asked[key] = now
        detach(wanted.machine, device)

    def _strangers(self, look: Look, wanted: Wanted, machine: Machine) -> bool:
        """Devices of parts that are gone altogether, as after a rollback."""
        known = set(wanted.disk_targets.values()) | set(wanted.cd_rom_targets.values())
        macs = {nic.spec.mac_address for nic in wanted.nics}
        look.check()
        changed = False
        for target in set(machine.disks) - known:
            self._ask_back(wanted, target, self._hypervisor.detach_disk)
            changed = True
        for mac in set(machine.nics) - macs:
            self._ask_back(wanted, mac, self._hypervisor.detach_nic)
            changed = True
        return changed


def _addresses(chain: Chain) -> list[str]:
    return [address_of(image) for image in chain]
