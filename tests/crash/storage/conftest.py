"""The program whose lives the crash suites of disks cut short."""

import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

# what the crash suites share
sys.path.insert(0, str(Path(__file__).parents[1]))

from crash_programs import Nursery

pytest.register_assert_rewrite("storage_aftermath")

_PROGRAM = [sys.executable, str(Path(__file__).with_name("storage_life.py"))]
_TESTS = Path(__file__).parents[2]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{_TESTS}{os.pathsep}{_TESTS / 'crash'}"}


@pytest.fixture(scope="session")
def lives() -> Generator[Nursery]:
    command = [*_PROGRAM, "nursery"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=_ENVIRONMENT) as process:
        yield Nursery(process)
