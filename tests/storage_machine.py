"""Any sequence of requests about disks, against a model of bytes. Subclassed with a backend.

The requests go to the services, a real engine carries them out, and nothing waits for anything unless a
disk is written to or read.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from storage_installation import Installation, running
from stratal.kernel.errors import Conflict
from stratal.kernel.transaction import Transaction
from stratal.storage import Backend, layers
from stratal.storage.bs_volume.model import MIB
from stratal.storage.tree import rows

which = st.integers(0, 10**6)


class StorageMachine(RuleBasedStateMachine):
    #: bytes that are written at a time, from multiples of this on
    UNIT: ClassVar[int] = 64 * 1024
    #: units that are written to and compared; the rest of a disk stays empty
    UNITS: ClassVar[int] = 4

    def backends(self, directory: Path) -> dict[str, Backend]:
        """The same places each time, as after a restart."""
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.stack = ExitStack()
        self.directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        #: by id: what is in each unit, as a letter
        self.volumes: dict[int, str] = {}
        self.snaps: dict[int, str] = {}
        self.volume_of: dict[int, int] = {}
        self.size_mb: dict[int, int] = {}
        self.here = self._enter()
        # the invariants look into the place, which is prepared for the policy
        self.here.active(self.here.policies, self.here.default_policy)

    def teardown(self) -> None:
        if hasattr(self, "here"):
            try:
                self.everything_reads_right()
                self._erase()
            finally:
                self.stack.close()

    # -- requests ------------------------------------------------------------------------------------

    @rule()
    def create(self) -> None:
        id = self.here.create(
            self.here.volumes, name="disk", size_mb=1, bs_policy_id=self.here.default_policy
        ).id
        self.volumes[id], self.size_mb[id] = "." * self.UNITS, 1

    @precondition(lambda self: self.volumes)
    @rule(which=which, unit=st.integers(0, 3), letter=st.sampled_from("ABCDEFGH"))
    def write(self, which: int, unit: int, letter: str) -> None:
        id = _one(self.volumes, which)
        for snap, volume in self.volume_of.items():
            if volume == id:
                self.here.active(self.here.snaps, snap)
        self.here.active(self.here.volumes, id)
        self.here.write(id, unit * self.UNIT, letter.encode() * self.UNIT)
        content = self.volumes[id]
        self.volumes[id] = content[:unit] + letter + content[unit + 1 :]

    @precondition(lambda self: self.volumes)
    @rule(which=which)
    def snapshot(self, which: int) -> None:
        volume = _one(self.volumes, which)
        id = self.here.create(self.here.snaps, name="moment", bs_volume_id=volume).id
        self.snaps[id], self.volume_of[id], self.size_mb[-id] = (
            self.volumes[volume],
            volume,
            self.size_mb[volume],
        )

    @precondition(lambda self: self.snaps)
    @rule(which=which)
    def rollback(self, which: int) -> None:
        snap = _one(self.snaps, which)
        volume = self.volume_of[snap]
        self.here.act(self.here.volumes, volume, "rollback", bs_snap_id=snap)
        self.volumes[volume] = self.snaps[snap]

    @precondition(lambda self: self.snaps)
    @rule(which=which, flatten=st.booleans())
    def clone(self, which: int, flatten: bool) -> None:
        snap = _one(self.snaps, which)
        id = self.here.ask_for_clone(snap, "copy", flatten).id
        self.volumes[id], self.size_mb[id] = self.snaps[snap], self.size_mb[-snap]

    @precondition(lambda self: self.volumes)
    @rule(which=which)
    def flatten(self, which: int) -> None:
        self.here.act(self.here.volumes, _one(self.volumes, which), "flatten")

    @precondition(lambda self: self.volumes)
    @rule(which=which)
    def grow(self, which: int) -> None:
        id = _one(self.volumes, which)
        self.size_mb[id] += 1
        self.here.update(self.here.volumes, id, size_mb=self.size_mb[id])

    @precondition(lambda self: self.snaps)
    @rule(which=which)
    def delete_snapshot(self, which: int) -> None:
        id = _one(self.snaps, which)
        self.here.remove(self.here.snaps, id)
        del self.snaps[id], self.volume_of[id]

    @precondition(lambda self: self.volumes)
    @rule(which=which)
    def delete_volume(self, which: int) -> None:
        id = _one(self.volumes, which)
        if id in self.volume_of.values():
            with pytest.raises(Conflict):
                self.here.delete(self.here.volumes, id)
            return
        self.here.remove(self.here.volumes, id)
        del self.volumes[id]

    @invariant()
    def what_a_look_loads_says_the_same_as_the_whole_tree(self) -> None:
        def compare(transaction: Transaction) -> None:
            for tree in self.here.trees():
                whole, part = rows.load(transaction, tree.id), rows.load_loose(transaction, tree.id)
                assert part.graph.unsettled == whole.graph.unsettled
                assert layers.attention(part.graph) == layers.attention(whole.graph)
                seen = layers.observe(self.here.driver(), whole.graph)
                if not layers.astray(part.graph, seen):
                    _, ours = layers.record(part.graph, seen)
                    _, theirs = layers.record(whole.graph, seen)
                    assert (set(ours.layers), set(ours.gone)) == (set(theirs.layers), set(theirs.gone))
                    remains = layers.remaining(part.graph, seen, part.weigh)
                    assert remains == layers.remaining(whole.graph, seen, whole.weigh)

        if hasattr(self, "here"):
            self.here.database.read(compare)

    # -- the world -----------------------------------------------------------------------------------

    @rule()
    def restart(self) -> None:
        """Whatever was going on is cut short; another process takes over."""
        self.running.close()
        self.here = self._enter()

    @rule()
    def everything_reads_right(self) -> None:
        for id in self.volumes:
            self.here.active(self.here.volumes, id)
        for id in self.snaps:
            self.here.active(self.here.snaps, id)
        for id, expected in self.volumes.items():
            found = self.here.read(self.here.volumes, id)
            assert len(found) == self.size_mb[id] * MIB
            assert self._letters(found) == expected, f"bs_volume {id}"
        for id, expected in self.snaps.items():
            assert self._letters(self.here.read(self.here.snaps, id)) == expected, f"bs_snap {id}"

    def _letters(self, content: bytes) -> str:
        units = [content[at : at + self.UNIT] for at in range(0, len(content), self.UNIT)]
        assert all(len(set(unit)) == 1 for unit in units), "a unit is all one letter"
        letters = "".join(chr(unit[0]) if unit[0] else "." for unit in units)
        assert set(letters[self.UNITS :]) <= {"."}
        return letters[: self.UNITS]

    def _enter(self) -> Installation:
        self.running = self.stack.enter_context(ExitStack())
        url = f"sqlite:///{self.directory}/stratal.db"
        return self.running.enter_context(running(url, self.backends(self.directory)))

    def _erase(self) -> None:
        self.here.at_rest(60)
        assert set(self.here.driver().survey().layers) == self.here.stored_layers()
        for id in list(self.snaps):
            self.here.remove(self.here.snaps, id)
        for id in list(self.volumes):
            self.here.remove(self.here.volumes, id)
        self.here.at_rest(60)
        self.here.storage.reclaim()
        survey = self.here.driver().survey()
        assert (dict(survey.layers), survey.leftovers) == ({}, ())


def _one(among: dict[int, str], which: int) -> int:
    return list(among)[which % len(among)]
