"""Points in time of a running guest: all its disks go on in new layers at one instant. Called by the
reconciler of machines.

Snapshots of volumes and of the whole machine come to the same: the volumes' heads have moved on to layers
that are yet to be made, and the guest has to follow. What belongs to one snapshot of the machine follows
together, and in the order in which it was asked for.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from stratal.compute.domain import FileImage, Machine
from stratal.compute.drivers.contract import Hypervisor
from stratal.compute.guests.images import address_of
from stratal.compute.guests.wanted import Wanted
from stratal.kernel.errors import Unavailable
from stratal.kernel.reconcile import Look
from stratal.storage import Lender, Overlay


@dataclass(frozen=True, kw_only=True)
class _Due:
    """A disk that is to go on in an overlay, and what it writes to now."""

    overlay: Overlay
    address: str


def take(hypervisor: Hypervisor, lender: Lender, look: Look, wanted: Wanted, machine: Machine) -> bool:
    """Make the next point in time that is due; whether there was one.

    Killed at any instant it is found due again, or done. Raises AgentUnavailable where a snapshot wants a
    quiet guest whose agent doesn't answer; the guest runs on then.
    """
    due = _next(_all_due(lender, look, wanted, machine), wanted)
    if not due:
        return False
    quiesce = any(wanted.points[point] for each in due.values() for point in _points_of(each.overlay, wanted))
    switching = {target: each for target, each in due.items() if each.overlay.switches}
    standing = [each for each in due.values() if not each.overlay.switches]
    overlays = {target: _prepared(lender, look, each) for target, each in switching.items()}
    with ExitStack() as stack:
        if standing:
            stack.enter_context(hypervisor.hold(wanted.machine, quiesce=quiesce))
        for each in standing:
            lender.prepare(look, each.overlay, each.address)
        if overlays:
            look.check()
            hypervisor.snapshot(wanted.machine, overlays, quiesce=quiesce and not standing)
    for each in due.values():
        lender.switched(look, each.overlay)
    return True


def _all_due(lender: Lender, look: Look, wanted: Wanted, machine: Machine) -> dict[str, _Due]:
    found: dict[str, _Due] = {}
    for disk in wanted.disks:
        state = machine.disks.get(wanted.disk_targets[disk.id])
        if state is None or not state.chain:
            continue
        address = address_of(state.chain[0])
        overlay = lender.due(look, disk.spec.bs_volume_id, address)
        if overlay is not None:
            found[state.target] = _Due(overlay=overlay, address=address)
    return found


def _next(due: Mapping[str, _Due], wanted: Wanted) -> dict[str, _Due]:
    """What goes on at the next instant: first single disks, since a snapshot of the machine that waits behind
    one must find all its disks ready; then the oldest snapshot of the machine."""
    single = {target: each for target, each in due.items() if not _points_of(each.overlay, wanted)}
    if single or not due:
        return single
    oldest = min(point for each in due.values() for point in _points_of(each.overlay, wanted))
    return {target: each for target, each in due.items() if oldest in _points_of(each.overlay, wanted)}


def _points_of(overlay: Overlay, wanted: Wanted) -> set[int]:
    return {wanted.point_of[each] for each in overlay.bs_snap_ids if each in wanted.point_of}


def _prepared(lender: Lender, look: Look, due: _Due) -> FileImage:
    location = lender.prepare(look, due.overlay, due.address)
    if not location.address.startswith("/"):
        raise Unavailable(reason=f"a guest can't be switched to {location.address}")
    return FileImage(path=Path(location.address), format=location.format)
