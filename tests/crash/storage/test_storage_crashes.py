"""SIGKILL at every crash point that the life of a few disks passes, on real qcow2 files."""

import collections
import signal
from pathlib import Path

import pytest
from crash_programs import Ended, Nursery
from storage_aftermath import check

from stratal.kernel.effects import Effect

#: what images are brought in by, and what only a start after a crash passes: the suites of images and drivers
_ELSEWHERE = ("qcow2.adopt.", "qcow2.make.convert", "qcow2.reclaim", "qcow2.export.stop")
#: passed time and again: killed there at a later time too
_OFTEN = ("engine.claim", "engine.look", "engine.record", "tree.record", "qcow2.make.", "qcow2.freeze")
_LATER = {"engine": (40, 100), "tree": (10,), "qcow2": (5,)}


def _crash_points() -> list[str]:
    """Each crash point of the engine, of trees and of the driver, with the number of the passage."""
    found: list[str] = []
    for point in Effect.crash_points():
        part = point.partition(".")[0]
        if part in _LATER and not point.startswith(_ELSEWHERE):
            later = _LATER[part] if point.startswith(_OFTEN) else ()
            found += [f"{point}#{passage}" for passage in (1, *later)]
    return found


@pytest.fixture
def disks(tmp_path: Path) -> Path:
    directory = tmp_path / "disks"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("crash_at", _crash_points())
def test_a_life_killed_at_a_crash_point_goes_on_as_if_nothing_had_been(
    lives: Nursery, sqlite_url: str, disks: Path, tmp_path: Path, crash_at: str
) -> None:
    ended = lives.run(tmp_path, "live", sqlite_url, str(disks), crash_at=crash_at)
    # which way a merge goes, and what is done twice, depends on what is quicker: a life may miss a point
    assert ended.status in (-signal.SIGKILL, 0), ended.logs
    _check(ended, sqlite_url, disks)


def test_an_undisturbed_life_ends_with_what_it_was_about(
    lives: Nursery, sqlite_url: str, disks: Path, tmp_path: Path
) -> None:
    ended = lives.run(tmp_path, "live", sqlite_url, str(disks))
    assert ended.status == 0, ended.logs
    _check(ended, sqlite_url, disks)


def test_the_life_passes_the_crash_points_of_whatever_can_happen_to_a_disk(
    lives: Nursery, sqlite_url: str, disks: Path, tmp_path: Path
) -> None:
    ended = lives.run(tmp_path, "passed", sqlite_url, str(disks))
    assert ended.status == 0, ended.logs
    lines = (line.split() for line in ended.output.splitlines())
    passed = collections.Counter(words[1] for words in lines if words[0] == "passed")
    for often in ("engine.claim", "engine.look", "engine.record", "tree.record"):
        assert passed[f"{often}.after"] >= 10
    for effect in ("make.write", "make.publish", "freeze", "resize", "delete", "merge.mark", "merge.unmark"):
        assert passed[f"qcow2.{effect}.after"]
    assert passed["qcow2.merge.commit.after"] or passed["qcow2.merge.pull.after"]


def _check(ended: Ended, url: str, disks: Path) -> None:
    check(ended, url, str(disks))
    assert [path.name for path in disks.iterdir()] == [".stratal-layers"]
