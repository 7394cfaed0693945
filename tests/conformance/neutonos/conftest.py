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


@pytest.fixture(scope="session")
def impatient_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with other settings than the defaults: short of patience, open to pages and to guests."""
    settings = {
        "STRATAL_SERVER__BODY_TIMEOUT_SECONDS": "0.5",
        "STRATAL_SERVER__CORS_ALLOW_ORIGINS": "https://console.example.org,https://other.example.org",
        "STRATAL_IDENTITY__ANONYMOUS_USER": "guest",
    }
    with running_server(tmp_path_factory.mktemp("impatient"), environment=settings) as server:
        yield server
