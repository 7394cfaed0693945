"""A server that may import files from one directory, shared by the tests that do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from running_server import Client, RunningServer, running_server


@pytest.fixture(scope="package")
def importable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("importable")


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, importable: Path) -> Iterator[RunningServer]:
    """Its own disks lie where files may be imported from, which no administrator ought to allow."""
    directory = tmp_path_factory.mktemp("server")
    allowed = f"{importable},{directory}/data/layers,/nonexistent"
    with running_server(directory, environment={"STRATAL_STORAGE__IMPORT_DIRECTORIES": allowed}) as server:
        yield server


@pytest.fixture(scope="package")
def admin(server: RunningServer) -> Iterator[Client]:
    client = server.client()
    yield client
    client.close()
