"""SIGKILL at every crash point of the engine and of a reconciler with side effects."""

import signal
from functools import cache
from pathlib import Path

import pytest
from crash_programs import Nursery, assert_acknowledged, crash_points, recover

_PASSAGES = (1, 2, 5)
_points = cache(crash_points)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "crash_at" in metafunc.fixturenames:
        metafunc.parametrize("crash_at", [f"{point}#{n}" for point in _points() for n in _PASSAGES])


def test_a_process_killed_at_a_crash_point_loses_nothing_and_leaves_nothing_behind(
    programs: Nursery, database_url: str, crash_at: str, world: Path, tmp_path: Path
) -> None:
    ended = programs.run(tmp_path, "script", database_url, str(world), crash_at=crash_at)
    assert ended.status == -signal.SIGKILL, f"{crash_at} was never passed: {ended.logs}"
    assert_acknowledged(ended.output, recover(database_url, world))


def test_a_process_that_is_not_killed_does_all_that_it_was_asked(
    programs: Nursery, database_url: str, world: Path, tmp_path: Path
) -> None:
    ended = programs.run(tmp_path, "script", database_url, str(world))
    assert ended.status == 0, ended.logs
    assert sorted(recover(database_url, world)) == [f"flaky-{number}" for number in range(5)]
