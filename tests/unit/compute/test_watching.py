"""Machines that do something while they are looked at, and while they are not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from compute_installation import ComputeInstallation
from storage_installation import eventually
from stratal.compute.domain import MachineId
from stratal.compute.drivers.contract import Happening
from stratal.compute.drivers.simulated import SimulatedHypervisor, World
from stratal.compute.guests.watching import Watcher
from stratal.kernel.work import WORK


class Host:
    """A host whose machines do what the test says, and two machines that nobody reconciles."""

    def __init__(self, here: ComputeInstallation) -> None:
        self._here = here
        self.one, self.other = (MachineId(here.machine(name).status.uuid) for name in ("one", "other"))
        here.at_rest()
        here.stop_engine()
        self._world = World()
        self.watcher = Watcher(SimulatedHypervisor(self._world), here.database)
        with self.watcher.look(self.one):
            pass  # from now on it listens
        self._before = self._requests()

    def happens(self, machine: MachineId, what: Happening = Happening.STATE) -> None:
        self._world.tell(machine, what)

    def asked(self, machine: MachineId) -> bool:
        """Whether a look was asked for. What happened before is dealt with by then."""
        probe = self.other if machine == self.one else self.one
        self.happens(probe, Happening.AGENT)
        eventually(lambda: self._requests()[probe] > self._before[probe])
        return self._requests()[machine] > self._before[machine]

    def _requests(self) -> dict[str, int]:
        machines = self._here.database.read(lambda tx: self._here.machines.store.find(tx))
        rows = self._here.database.read(lambda tx: tx.execute(WORK.select()).fetchall())
        requested = {row.id: row.requested for row in rows if row.kind == "virtual_machine"}
        return {machine.status.uuid: requested[machine.id] for machine in machines}


@pytest.fixture
def host(here: ComputeInstallation, tmp_path: Path) -> Iterator[Host]:
    host = Host(here)
    yield host
    host.watcher.close()


def test_what_happens_while_nobody_looks_asks_for_a_look(host: Host) -> None:
    host.happens(host.one)
    assert host.asked(host.one)


def test_what_happens_during_a_look_asks_for_another_one_after_it(host: Host) -> None:
    with host.watcher.look(host.one):
        host.happens(host.one)
    assert host.asked(host.one)


def test_what_a_look_knows_asks_for_no_other_one(host: Host) -> None:
    with host.watcher.look(host.one):
        host.happens(host.one)
        host.watcher.known(host.one)
    assert not host.asked(host.one)


def test_what_happens_after_that_asks_again(host: Host) -> None:
    with host.watcher.look(host.one):
        host.watcher.known(host.one)
        host.happens(host.one)
    assert host.asked(host.one)


def test_a_look_that_fails_leaves_nothing_unheard(host: Host) -> None:
    def fail() -> None:
        with host.watcher.look(host.one):
            host.happens(host.one)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert host.asked(host.one)


def test_a_look_at_one_machine_hides_nothing_that_happens_to_another(host: Host) -> None:
    with host.watcher.look(host.other):
        host.happens(host.one)
        assert host.asked(host.one)


@pytest.mark.parametrize("what", [Happening.DEVICE, Happening.DISK, Happening.AGENT])
def test_what_is_not_of_the_state_asks_at_once(host: Host, what: Happening) -> None:
    with host.watcher.look(host.one):
        host.happens(host.one, what)
        host.watcher.known(host.one)
        assert host.asked(host.one)
