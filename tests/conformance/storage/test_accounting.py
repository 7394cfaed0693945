"""What resources are said to take adds up to what real drivers hold, and deletions free what was said."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

from collections.abc import Iterator
from pathlib import Path

import pytest
from rbd_ground import Ground, ceph_pool, ground, shared_ceph

from storage_installation import MEMBER, AnyResource, AnyService, Installation, eventually, qcow2, running
from stratal.storage import Backend

_UNIT = 256 * 1024
"""Both drivers tell allocation in parts of this."""


@pytest.fixture(params=["on_qcow2", pytest.param("on_rbd", marks=pytest.mark.xdist_group("ceph"))])
def here(request: pytest.FixtureRequest) -> Installation:
    installation: Installation = request.getfixturevalue(request.param)
    return installation


@pytest.fixture
def on_qcow2(tmp_path: Path, sqlite_url: str) -> Iterator[Installation]:
    disks = tmp_path / "disks"
    disks.mkdir()
    with running(sqlite_url, {"qcow2": qcow2(disks)}) as installation:
        yield installation


@pytest.fixture
def on_rbd(ground: Ground, sqlite_url: str) -> Iterator[Installation]:
    def canonical(place: str) -> str:
        return str(ground.place)

    def prepare(place: str) -> None:
        """The pool and its namespace are there."""

    backend = Backend(canonical=canonical, prepare=prepare, open=lambda place: ground.driver())
    with running(sqlite_url, {"rbd": backend}) as installation:
        yield installation


def test_a_snapshot_takes_what_was_written_over_since_and_gives_just_that_back(here: Installation) -> None:
    volume = here.volume(size_mb=4, access=MEMBER)
    here.write(volume, 0, b"A" * 8 * _UNIT)
    first = here.snapshot(volume, "first", access=MEMBER)
    here.write(volume, 0, b"B" * 3 * _UNIT)
    second = here.snapshot(volume, "second", access=MEMBER)
    here.write(volume, 2 * _UNIT, b"C" * 2 * _UNIT)
    here.weigh_again()

    def takes(snap: int) -> int:
        return here.show(here.snaps, snap).status.allocated_size_byte

    eventually(lambda: (takes(first), takes(second)) == (3 * _UNIT, _UNIT), 60)
    _adds_up(here, volume)
    held = _held(here)
    here.remove(here.snaps, first)
    here.at_rest()
    assert 3 * _UNIT <= held - _held(here) <= 4 * _UNIT, "beside the data, the tables of one file"
    here.weigh_again()
    eventually(lambda: takes(second) == 2 * _UNIT, 60)
    _adds_up(here, volume)
    held = _held(here)
    here.remove(here.snaps, second)
    here.at_rest()
    assert 2 * _UNIT <= held - _held(here) <= 3 * _UNIT


def test_a_volume_takes_what_it_sees_and_a_clone_shares_it(here: Installation) -> None:
    volume = here.volume(size_mb=4, access=MEMBER)
    here.write(volume, 0, b"A" * 4 * _UNIT)
    snap = here.snapshot(volume, access=MEMBER)
    copy = here.clone(snap, access=MEMBER)
    here.write(copy, 0, b"B" * _UNIT)
    here.weigh_again()
    own = here.driver().usage(here.layer_of(here.volumes, copy)).allocated_bytes
    assert own >= _UNIT
    eventually(lambda: here.show(here.volumes, copy).status.exclusive_size_byte == own, 60)
    assert here.show(here.volumes, copy).status.allocated_size_byte >= 4 * _UNIT + own
    assert here.show(here.snaps, snap).status.allocated_size_byte == 0, "two volumes need all of it"
    _adds_up(here, volume)


def _held(here: Installation) -> int:
    driver = here.driver()
    return sum(driver.usage(layer).allocated_bytes for layer in driver.survey().layers)


def _adds_up(here: Installation, volume: int) -> None:
    tree = here.database.read(lambda tx: here.storage.trees.of_volume(tx, MEMBER, volume))
    assert tree.exclusive_byte + tree.shared_byte + tree.reclaimable_byte == tree.allocated_byte
    assert tree.allocated_byte == sum(node.allocated_byte for node in tree.nodes) == _held(here)
    volumes = [each.status.exclusive_size_byte for each in _all(here, here.volumes)]
    snaps = [each.status.allocated_size_byte for each in _all(here, here.snaps)]
    assert sum(volumes) + sum(snaps) == tree.exclusive_byte


def _all(here: Installation, service: AnyService) -> list[AnyResource]:
    return here.database.read(lambda tx: service.store.find(tx))
