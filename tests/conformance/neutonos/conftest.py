"""Servers that the tests of this face share: one per test process, and one that tests may upset."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from running_server import Client, RunningServer, running_server

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with its defaults, and a log that says everything."""
    with running_server(
        tmp_path_factory.mktemp("shared"), environment={"STRATAL_LOG__LEVEL": "debug"}
    ) as server:
        yield server


@pytest.fixture(scope="session")
def admin(shared_server: RunningServer) -> Iterator[Client]:
    """The administrator of the shared server, in the first project."""
    client = shared_server.client()
    yield client
    client.close()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Makes names that no other test of this process uses."""
    return lambda name: f"{name}-{next(_NUMBERS)}"
