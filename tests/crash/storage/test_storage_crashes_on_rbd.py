"""SIGKILL at every crash point of the RBD driver that the life of a few disks passes, on a real Ceph."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import collections
import contextlib
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crash_programs import Ended, Nursery
from storage_aftermath import check

import stratal.storage.drivers.rbd
from ceph import Cluster, ceph_pool, shared_ceph
from stratal.kernel.effects import Effect

pytestmark = pytest.mark.xdist_group("ceph")

#: what images are brought in by, and what only a start after a crash passes: see the driver's own suite
_ELSEWHERE = (
    "rbd.adopt.",
    "rbd.claim.drop",
    "rbd.image.detached",
    "rbd.make.convert",
    "rbd.session.fence",
    "rbd.session.leave",
    "rbd.snapshot.replace",
)
#: passed time and again: killed there at a later time too
_OFTEN = ("rbd.claim.take", "rbd.claim.release", "rbd.freeze", "rbd.make.publish")


def _crash_points() -> list[str]:
    points = [point for point in Effect.crash_points() if point.startswith("rbd.")]
    points = [point for point in points if not point.startswith(_ELSEWHERE)]
    later = [f"{point}#4" for point in points if point.startswith(_OFTEN)]
    return [f"{point}#1" for point in points] + later + ["tree.record.before#5", "tree.record.after#5"]


@pytest.fixture
def place(shared_ceph: Cluster, ceph_pool: str) -> Iterator[str]:
    import rbd

    namespace = f"life-{uuid.uuid4().hex[:8]}"
    with shared_ceph.connected() as handle, contextlib.closing(handle.open_ioctx(ceph_pool)) as ioctx:
        rbd.RBD().namespace_create(ioctx, namespace)
        yield f"rbd {shared_ceph.conf} {ceph_pool} {namespace}"
        ioctx.set_namespace(namespace)
        left = set(rbd.RBD().list(ioctx))
    assert left <= {"stratal.sessions"}


@pytest.mark.parametrize("crash_at", _crash_points())
def test_a_life_killed_at_a_crash_point_goes_on_as_if_nothing_had_been(
    lives: Nursery, sqlite_url: str, place: str, tmp_path: Path, crash_at: str
) -> None:
    ended = lives.run(tmp_path, "live", sqlite_url, place, crash_at=crash_at)
    # how often a layer is looked at and claimed depends on what is quicker: a life may miss a point
    assert ended.status in (-signal.SIGKILL, 0), ended.logs
    check(ended, sqlite_url, place)


def test_the_life_passes_the_crash_points_of_whatever_can_happen_to_a_disk(
    lives: Nursery, sqlite_url: str, place: str, tmp_path: Path
) -> None:
    ended = lives.run(tmp_path, "passed", sqlite_url, place)
    assert ended.status == 0, ended.logs
    lines = (line.split() for line in ended.output.splitlines())
    passed = collections.Counter(words[1] for words in lines if words[0] == "passed")
    missed = {point.partition("#")[0] for point in _crash_points()} - set(passed)
    # whether a head has still to be fitted when it is looked at depends on what is quicker
    assert missed <= {"rbd.head.fit.before", "rbd.head.fit.after"}
    check(ended, sqlite_url, place)
