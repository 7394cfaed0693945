from collections.abc import Generator
from pathlib import Path

import pytest
from crash_programs import Nursery, nursery


@pytest.fixture(scope="session")
def programs() -> Generator[Nursery]:
    """Starts the programs that are to be killed."""
    with nursery() as programs:
        yield programs


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The directory in which documents are kept."""
    directory = tmp_path / "documents"
    directory.mkdir()
    return directory
