"""A server that the tests of this face share, and ways to ask it as clients do."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from evs_client import Cloud
from running_server import RunningServer, running_server

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def evs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server on simulated storage."""
    settings = {"STRATAL_SIMULATE": "true", "STRATAL_LOG__LEVEL": "debug"}
    with running_server(tmp_path_factory.mktemp("evs"), environment=settings) as server:
        yield server


@pytest.fixture(scope="session")
def cloud(evs_server: RunningServer) -> Iterator[Cloud]:
    """The administrator, in the first project."""
    with Cloud(evs_server, "admin", evs_server.password, "default") as cloud:
        yield cloud


@pytest.fixture(scope="session")
def backed_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The administrator of a server that keeps disks as qcow2 files."""
    with (
        running_server(tmp_path_factory.mktemp("evs-qcow2")) as server,
        Cloud(server, "admin", server.password, "default") as cloud,
    ):
        yield cloud


@pytest.fixture(scope="session")
def member(evs_server: RunningServer, cloud: Cloud) -> Iterator[Cloud]:
    """A member of the first project, who administers nothing."""
    password = cloud.new_user("evs-member", "default", "member")
    with Cloud(evs_server, "evs-member", password, "default") as client:
        yield client


@pytest.fixture(scope="session")
def neighbour(evs_server: RunningServer, cloud: Cloud) -> Iterator[Cloud]:
    """A member of another project."""
    cloud.identity("POST", "/projects", {"project": {"name": "evs-next-door"}}, expect=201)
    password = cloud.new_user("evs-neighbour", "evs-next-door", "member")
    with Cloud(evs_server, "evs-neighbour", password, "evs-next-door") as client:
        yield client


@pytest.fixture
def newcomer(evs_server: RunningServer, cloud: Cloud, unique: Callable[[str], str]) -> Iterator[Cloud]:
    """A member of a project that is new and empty."""
    name = unique("evs-newcomer")
    cloud.identity("POST", "/projects", {"project": {"name": name}}, expect=201)
    password = cloud.new_user(name, name, "member")
    with Cloud(evs_server, name, password, name) as client:
        yield client


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Makes names that no other test of this process uses."""
    return lambda name: f"{name}-{next(_NUMBERS)}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory for clients that write to it."""
    home = tmp_path / "home"
    home.mkdir()
    return home
