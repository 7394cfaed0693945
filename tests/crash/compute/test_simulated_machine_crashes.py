"""A process that ends at every crash point that the life of a few machines passes. All outside is simulated,
and goes on in memory."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from machine_aftermath import check
from machine_deeds import expected
from machine_living import Living

from compute_installation import ComputeInstallation, Outside, running
from stratal.compute.drivers.simulated import SimulatedHypervisor
from stratal.compute.drivers.simulated import World as Hypervised
from stratal.kernel import effects
from stratal.kernel.database import Database
from stratal.kernel.effects import Effect
from stratal.kernel.transaction import Transaction
from stratal.network.drivers.simulated import SimulatedHost, SimulatedNetwork
from stratal.storage import Backend
from stratal.storage.drivers.simulated import Place, SimulatedDriver

#: what other suites pass: images that come in, services of DHCP, cards, bare files, disks cut to size
_ELSEWHERE = (
    "simulated.adopt.",
    "simulated.discard.",
    "simulated.machine.pause.",
    "simulated.machine.resume.",
    "simulated.machine.stop.",
    "simulated.network.dhcp.",
    "simulated.network.part.",
    "simulated.network.undhcp.",
    "simulated.network.uplink.",
)
#: a life takes seconds; all of them are for a run that has the time
_EVERY = 1 if os.environ.get("STRATAL_ALL_CRASH_POINTS") == "1" else 4
_OURS = ("engine", "guest", "tree", "simulated")
#: passed time and again: killed there at later times too
_LATER = {"engine": (25, 60, 120), "tree": (6, 14)}
_OFTEN = (
    "simulated.create.",
    "simulated.freeze.",
    "simulated.machine.change.",
    "simulated.machine.finish.",
    "simulated.machine.job.",
    "simulated.machine.snapshot.",
    "simulated.machine.start.",
    "simulated.network.port.",
)
#: what is passed only when the last things go
_LAST = {"simulated.network.unbridge", "simulated.reclaim"}
#: what simulated disks have no use for: they merge without their guests, and nothing stops in good order
_NEVER = {
    "engine.release",
    "simulated.machine.finish",
    "simulated.machine.hold",
    "simulated.machine.job",
    "simulated.machine.release",
}


def _crash_points() -> list[str]:
    found: list[str] = []
    for point in Effect.crash_points():
        part = point.partition(".")[0]
        if part in _OURS and not point.startswith(_ELSEWHERE):
            later = (2, 4) if point.startswith(_OFTEN) else _LATER.get(part, ())
            found += [f"{point}#{passage}" for passage in (1, *later)]
    return found


class Killed(BaseException):
    """Stands for SIGKILL: no `except Exception` catches it."""


class _Undone(Exception):
    """A transaction of a process that has ended."""


class Death:
    """Ends a process at a crash point: no effect and no transaction of any of its threads comes after."""

    def __init__(self, crash_at: str) -> None:
        self._point, _, passage = crash_at.partition("#")
        self._left = int(passage or 1)
        self._lock = threading.Lock()
        self.dead = False
        self.passed: list[str] = []

    def passing(self, point: str) -> None:
        with self._lock:
            self.passed.append(point)
            if point == self._point and not self.dead:
                self._left -= 1
                self.dead = self._left == 0
        self.check()

    def check(self) -> None:
        if self.dead:
            raise Killed


class Ground:
    """What goes on when a process ends."""

    def __init__(self, url: str, directory: Path) -> None:
        self._url = url
        self._directory = directory
        self._places: dict[str, Place] = {}
        self._machines = Hypervised()
        self._host = SimulatedHost()

    @contextmanager
    def installation(self) -> Iterator[ComputeInstallation]:
        outside = Outside(
            backends={
                "simulated": Backend(
                    canonical=lambda place: place or "memory",
                    prepare=lambda place: None,
                    open=lambda place: SimulatedDriver(self._places.setdefault(place, Place(name=place))),
                )
            },
            hypervisor=SimulatedHypervisor(self._machines),
            network=SimulatedNetwork(self._host),
        )
        with running(self._url, self._directory, outside=outside) as here:
            yield here


@pytest.fixture
def ground(sqlite_url: str, tmp_path: Path) -> Ground:
    return Ground(sqlite_url, tmp_path / "machines")


def _until_death(ground: Ground, death: Death, monkeypatch: pytest.MonkeyPatch) -> str:
    """Live until then. Returns what was said."""
    said: list[str] = []

    def say(line: str) -> None:
        death.check()
        said.append(line + "\n")

    with monkeypatch.context() as patches:
        patches.setattr(threading, "excepthook", lambda args: None)  # threads die without a word
        patches.setattr(effects, "_pass", death.passing)
        patches.setattr(Database, "write", _while_alive(death, Database.write))
        patches.setattr(Database, "read", _while_alive(death, Database.read))
        with suppress(Killed), ground.installation() as here:
            Living(here, say).live()
    return "".join(said)


def _while_alive(death: Death, perform: Any) -> Any:
    """Transactions that the dead neither begin nor commit."""

    def performed(self: Database, work: Callable[[Transaction], Any]) -> Any:
        def working(transaction: Transaction) -> Any:
            try:
                result = work(transaction)
                death.check()
            except Killed:
                raise _Undone from None  # the thread that commits is nobody's
            return result

        death.check()
        try:
            return perform(self, working)
        except _Undone:
            raise Killed from None

    return performed


@pytest.mark.parametrize("crash_at", _crash_points()[::_EVERY])
def test_a_life_that_ends_at_a_crash_point_goes_on_as_if_nothing_had_been(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, crash_at: str
) -> None:
    said = _until_death(ground, Death(crash_at), monkeypatch)
    with ground.installation() as here:
        check(here, *expected(said))


def test_the_life_passes_the_crash_points_of_whatever_can_happen_to_a_machine(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    death = Death("nowhere")
    said = _until_death(ground, death, monkeypatch)
    missed = {each.partition("#")[0] for each in _crash_points()} - set(death.passed)
    with ground.installation() as here:
        check(here, *expected(said))
    # what is passed when everything is erased
    assert {each.rpartition(".")[0] for each in missed} <= _LAST | _NEVER
