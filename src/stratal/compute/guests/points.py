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
from stratal.compute.guests.memories import Memories
from stratal.compute.guests.wanted import Wanted, due_points
from stratal.kernel.errors import Unavailable
from stratal.kernel.reconcile import Look
from stratal.storage import Lender, Overlay


@dataclass(frozen=True, kw_only=True)
class _Due:
    """A disk that is to go on in an overlay, and what it writes to now."""

    overlay: Overlay
    address: str


@dataclass(frozen=True, kw_only=True)
class _Moment:
    """The next instant."""

    #: by target
    due: Mapping[str, _Due]
    quiesce: bool
    #: the snapshots of the machine whose memory is to be kept
    with_memory: list[int]


def take(
    hypervisor: Hypervisor, lender: Lender, memories: Memories, look: Look, wanted: Wanted, machine: Machine
) -> bool:
    """Make the next point in time that is due; whether there was one.

    Killed at any instant it is found due again, or done. Raises AgentUnavailable where a snapshot wants a
    quiet guest whose agent doesn't answer, and SnapshotFailed where its memory can't be written; the guest
    runs on then.
    """
    all_due = _all_due(lender, look, wanted, machine)
    memories.settle(
        look, wanted, still_due={id for each in all_due.values() for id in each.overlay.bs_snap_ids}
    )
    if not all_due:
        return False
    moment = _next(lender, look, wanted, machine, all_due)
    due, quiesce = moment.due, moment.quiesce
    switching = {target: each for target, each in due.items() if each.overlay.switches}
    standing = [each for each in due.values() if not each.overlay.switches]
    overlays = {target: _prepared(lender, look, each) for target, each in switching.items()}
    with_memory = moment.with_memory
    if standing and with_memory:
        # they are frozen one by one while the guest is held, which memory can't be written in the middle of
        memories.refuse(
            look, wanted, with_memory, "memory is kept beside disks that are files, and no others"
        )
        with_memory = []
    with ExitStack() as stack:
        if standing:
            stack.enter_context(hypervisor.hold(wanted.machine, quiesce=quiesce))
        for each in standing:
            lender.prepare(look, each.overlay, each.address)
        if overlays:
            look.check()
            with memories.keeping(look, wanted, machine, with_memory) as memory_file:
                hypervisor.snapshot(
                    wanted.machine, overlays, memory_file=memory_file, quiesce=quiesce and not standing
                )
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


def _next(
    lender: Lender, look: Look, wanted: Wanted, machine: Machine, all_due: Mapping[str, _Due]
) -> _Moment:
    """What goes on at the next instant: first single disks, since a snapshot of the machine that waits behind
    one must find all its disks ready; then the oldest snapshot of the machine.

    What belongs together is read after what is due: a snapshot may have come in between, of which some of the
    disks were looked at before and some after.
    """
    points, point_of = look.read(lambda tx: due_points(tx, wanted.id))

    def points_at(due: _Due) -> set[int]:
        return {point_of[each] for each in due.overlay.bs_snap_ids if each in point_of}

    single = {target: each for target, each in all_due.items() if not points_at(each)}
    if single:
        return _Moment(due=single, quiesce=False, with_memory=[])
    oldest = min(point for each in all_due.values() for point in points_at(each))
    disks = sum(point == oldest for point in point_of.values())
    if disks > sum(oldest in points_at(each) for each in all_due.values()):
        all_due = _all_due(lender, look, wanted, machine)
    due = {target: each for target, each in all_due.items() if oldest in points_at(each)}
    kept = {point for each in due.values() for point in points_at(each)}
    with_memory = sorted(point for point in kept if points[point].memory)
    return _Moment(
        due=due,
        quiesce=not with_memory and any(points[point].quiesce for point in kept),
        with_memory=with_memory,
    )


def _prepared(lender: Lender, look: Look, due: _Due) -> FileImage:
    location = lender.prepare(look, due.overlay, due.address)
    if not location.address.startswith("/"):
        raise Unavailable(reason=f"a guest can't be switched to {location.address}")
    return FileImage(path=Path(location.address), format=location.format)
