"""SIGKILL at every crash point that the life of a few disks passes, on real qcow2 files."""

import collections
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from crash_programs import Ended, Nursery
from sqlalchemy import select
from storage_life import CLUSTER, Deed, World, expected, installation, names_of

from storage_installation import Installation, eventually
from stratal.kernel.effects import Effect
from stratal.kernel.work import WORK

_PROGRAM = [sys.executable, str(Path(__file__).with_name("storage_life.py"))]
_TESTS = Path(__file__).parents[2]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{_TESTS}{os.pathsep}{_TESTS / 'crash'}"}


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


@pytest.fixture(scope="session")
def lives() -> Generator[Nursery]:
    command = [*_PROGRAM, "nursery"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=_ENVIRONMENT) as process:
        yield Nursery(process)


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
    """Start anew, with no other means than an engine: all acknowledged deeds were done, and nothing is left
    over of any."""
    world, open_deed = expected(ended.output)
    with installation(url, disks) as here:
        here.at_rest(60)
        _check_content(here, world, open_deed)
        _check_nothing_over(here)
        _erase_everything(here)
    assert [path.name for path in disks.iterdir()] == [".stratal-layers"]


def _check_content(here: Installation, world: World, open_deed: Deed | None) -> None:
    possible = [world] if open_deed is None else [world, world.after(open_deed)]
    volumes = {name: here.read(here.volumes, id) for name, id in names_of(here, here.volumes).items()}
    snapshots = {name: here.read(here.snaps, id) for name, id in names_of(here, here.snaps).items()}
    if open_deed is not None and open_deed.what == "write" and open_deed.name in volumes:
        # a write that was not acknowledged may be there in part, and nowhere else
        begin = open_deed.at * CLUSTER
        kept = world.volumes[open_deed.name][begin : begin + CLUSTER]
        content = bytearray(volumes[open_deed.name])
        content[begin : begin + CLUSTER] = kept
        volumes[open_deed.name] = bytes(content)
    assert any(_digest(each.volumes, each.snapshots) == _digest(volumes, snapshots) for each in possible), (
        open_deed,
        [_digest(each.volumes, each.snapshots) for each in possible],
        _digest(volumes, snapshots),
    )


def _digest(volumes: dict[str, bytes], snapshots: dict[str, bytes]) -> dict[str, str]:
    """The letter in each cluster of each disk; a dot where it is empty, a question mark where it is mixed."""

    def letters(content: bytes) -> str:
        clusters = (content[at : at + CLUSTER] for at in range(0, len(content), CLUSTER))
        return "".join(_letter(cluster) for cluster in clusters)

    return {name: letters(content) for name, content in itertools.chain(volumes.items(), snapshots.items())}


def _letter(cluster: bytes) -> str:
    values = set(cluster)
    if len(values) > 1:
        return "?"
    return chr(values.pop()) if values != {0} else "."


def _check_nothing_over(here: Installation) -> None:
    here.storage.reclaim()
    driver = here.driver()
    survey = driver.survey()
    assert survey.leftovers == ()
    assert set(survey.layers) == here.stored_layers()
    for layer in survey.layers:
        report = driver.check(layer)
        assert report.sound, report
    leased = select(WORK).where(WORK.c.owner.is_not(None))
    eventually(lambda: not here.database.read(lambda tx: tx.execute(leased).fetchall()))


def _erase_everything(here: Installation) -> None:
    for service in (here.snaps, here.volumes):
        ids = names_of(here, service).values()
        for id in ids:
            here.delete(service, id)
        for id in ids:
            here.gone(service, id)
    eventually(lambda: not here.stored_layers())
