"""The story of a few disks on a real Ceph: services, engine and driver together."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

from collections.abc import Iterator
from pathlib import Path

import pytest
from rbd_ground import Ground, ceph_pool, ground, shared_ceph

from storage_installation import Installation, eventually, running
from stratal.storage import Backend

pytestmark = pytest.mark.xdist_group("ceph")


@pytest.fixture
def here(ground: Ground, sqlite_url: str) -> Iterator[Installation]:
    def canonical(place: str) -> str:
        return str(ground.place)

    def prepare(place: str) -> None:
        """The pool and its namespace are there."""

    backend = Backend(canonical=canonical, prepare=prepare, open=lambda place: ground.driver())
    with running(sqlite_url, {"rbd": backend}) as installation:
        yield installation


def test_disks_branch_are_cloned_and_deleted_from_the_middle_and_read_right_each_time(
    here: Installation, ground: Ground
) -> None:
    volume = here.volume(size_mb=4)
    snaps = {}
    for letter in (b"A", b"B", b"C"):
        here.write(volume, 0, letter * 1000)
        snaps[letter] = here.snapshot(volume, letter.decode())
    copies = {letter: here.clone(snap, f"copy-{letter.decode()}") for letter, snap in snaps.items()}
    here.rollback(volume, snaps[b"B"])
    here.write(volume, 1000, b"D")
    for letter in (b"B", b"A", b"C"):
        here.remove(here.snaps, snaps[letter])
        for each, copy in copies.items():
            assert here.read(here.volumes, copy, 0, 1000) == each * 1000
    here.act(here.volumes, copies[b"A"], "flatten")
    assert here.active(here.volumes, copies[b"A"]).status.flattened
    here.update(here.volumes, volume, size_mb=6)
    assert here.active(here.volumes, volume).status.size_mb == 6
    here.at_rest()
    assert here.read(here.volumes, volume, 0, 1001) == b"B" * 1000 + b"D"
    for copy in copies.values():
        here.remove(here.volumes, copy)
    here.remove(here.volumes, volume)
    eventually(lambda: not here.stored_layers(), 60)
    here.storage.reclaim()
    assert not here.driver().survey().layers
    assert len(ground.images()) == 1, "all that is left is the driver's list of sessions"
