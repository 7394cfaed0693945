"""Points in time of a running guest: what goes on together, in which order, and how still the guest is."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from wanted_machines import disk, seen, wanted

from stratal.compute.domain import FileImage
from stratal.compute.guests import points
from stratal.compute.guests.wanted import Point
from stratal.kernel.errors import Unavailable
from stratal.storage import Location, Overlay, Transport
from stratal.storage.drivers.contract import LayerId

MACHINE = wanted(disks=(disk(1), disk(2), disk(3)))
QUIET, LOUD = Point(quiesce=True, memory=False), Point(quiesce=False, memory=False)


@dataclass(kw_only=True)
class World:
    """A lender, a hypervisor and a look in one: what is due, and what was done about it."""

    #: the snapshots at each layer that a disk is yet to go on in, oldest first, by the ids of volumes
    due_of: dict[int, list[set[int]]]
    points: Mapping[int, Point] = field(default_factory=dict[int, Point])
    #: which snapshot of a volume belongs to which of the machine
    point_of: Mapping[int, int] = field(default_factory=dict[int, int])
    switches: bool = True
    address: str = "/images/overlay"
    log: list[Any] = field(default_factory=list[Any])

    # the look

    def check(self) -> None:
        """The lease stands."""

    def read(self, work: Any) -> tuple[Mapping[int, Point], Mapping[int, int]]:
        return self.points, self.point_of

    # the lender

    def due(self, look: Any, volume_id: int, address: str) -> Overlay | None:
        waiting = self.due_of.get(volume_id, [])
        if not waiting:
            return None
        return Overlay(
            volume_id=volume_id,
            tree_id=1,
            layer=LayerId("above"),
            parent=LayerId("below"),
            size_bytes=1,
            switches=self.switches,
            bs_snap_ids=frozenset(waiting[0]),
        )

    def prepare(self, look: Any, overlay: Overlay, address: str) -> Location:
        self.log.append(("prepare", overlay.volume_id))
        return Location(transport=Transport.FILE, address=self.address, format="qcow2")

    def switched(self, look: Any, overlay: Overlay) -> None:
        self.due_of[overlay.volume_id].pop(0)

    # the hypervisor

    def snapshot(
        self, machine: str, overlays: Mapping[str, FileImage], *, memory_file: Path | None, quiesce: bool
    ) -> None:
        self.log.append(("switch", sorted(overlays), quiesce))

    @contextmanager
    def hold(self, machine: str, *, quiesce: bool) -> Generator[None]:
        self.log.append(("hold", quiesce))
        yield
        self.log.append("go on")

    # memory, of which there is none

    def settle(self, look: Any, wanted: Any, *, still_due: Any) -> None:
        """Nothing is left over."""

    @contextmanager
    def keeping(self, look: Any, wanted: Any, machine: Any, vm_snap_ids: list[int]) -> Generator[None]:
        assert vm_snap_ids == []
        yield


def instants(world: World) -> list[Any]:
    """All that is due, one instant after the other."""
    anything: Any = world
    found: list[Any] = []
    while points.take(anything, anything, anything, anything, MACHINE, seen(MACHINE)):
        found.append([each for each in world.log if each[0] != "prepare"])
        world.log.clear()
    return found


def test_nothing_is_done_where_nothing_is_due() -> None:
    assert instants(World(due_of={})) == []


def test_all_disks_of_a_snapshot_of_the_machine_go_on_together() -> None:
    world = World(
        due_of={101: [{11}], 102: [{12}], 103: [{13}]},
        points={1: LOUD},
        point_of={11: 1, 12: 1, 13: 1},
    )
    assert instants(world) == [[("switch", ["vda", "vdb", "vdc"], False)]]


def test_snapshots_of_the_machine_come_in_the_order_in_which_they_were_asked_for() -> None:
    world = World(
        due_of={101: [{11}, {21}], 102: [{12}, {22}]},
        points={1: QUIET, 2: LOUD},
        point_of={11: 1, 12: 1, 21: 2, 22: 2},
    )
    assert instants(world) == [
        [("switch", ["vda", "vdb"], True)],
        [("switch", ["vda", "vdb"], False)],
    ]


def test_a_disk_that_came_after_a_snapshot_waits_for_the_next_one_with_the_others() -> None:
    world = World(
        due_of={101: [{11}, {21}], 102: [{22}]}, points={1: LOUD, 2: LOUD}, point_of={11: 1, 21: 2, 22: 2}
    )
    assert instants(world) == [[("switch", ["vda"], False)], [("switch", ["vda", "vdb"], False)]]


def test_a_disk_s_own_snapshot_before_one_of_the_machine_comes_first() -> None:
    world = World(due_of={101: [{10}, {11}], 102: [{12}]}, points={1: LOUD}, point_of={11: 1, 12: 1})
    assert instants(world) == [[("switch", ["vda"], False)], [("switch", ["vda", "vdb"], False)]]


def test_snapshots_that_nothing_was_written_between_share_an_instant_that_is_as_quiet_as_any_wants() -> None:
    world = World(
        due_of={101: [{11, 21}], 102: [{12, 22}]},
        points={1: LOUD, 2: QUIET},
        point_of={11: 1, 12: 1, 21: 2, 22: 2},
    )
    assert instants(world) == [[("switch", ["vda", "vdb"], True)]]


def test_a_snapshot_of_a_volume_alone_disturbs_no_guest() -> None:
    assert instants(World(due_of={102: [{12}]}, points={1: QUIET}, point_of={})) == [
        [("switch", ["vdb"], False)]
    ]


def test_disks_whose_snapshot_is_an_instant_by_itself_are_taken_while_the_guest_stands_still() -> None:
    world = World(
        due_of={101: [{11}], 102: [{12}]}, points={1: QUIET}, point_of={11: 1, 12: 1}, switches=False
    )
    assert instants(world) == [[("hold", True), "go on"]]


def test_a_guest_is_not_switched_to_what_is_no_file() -> None:
    with pytest.raises(Unavailable, match="pool/image"):
        instants(World(due_of={101: [{11}]}, address="pool/image"))
