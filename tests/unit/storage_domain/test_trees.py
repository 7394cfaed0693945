"""What goes on behind volumes: long work, failures, lost layers, deep chains, restarts, accounting."""

import itertools
import time
from dataclasses import replace
from pathlib import Path

import pytest

from storage_installation import MEMBER, NEIGHBOUR, Installation, eventually, running
from stratal.kernel.errors import Invalid
from stratal.kernel.state import State
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import WORK
from stratal.storage import Backend
from stratal.storage.bs_volume.model import MIB
from stratal.storage.drivers.contract import LayerDriver, LayerId, Source
from stratal.storage.drivers.errors import BackendUnavailable, NoSpace
from stratal.storage.drivers.simulated import Place, SimulatedDriver
from stratal.storage.layers import NameKind
from stratal.storage.tree import rows


class Memory:
    """A backend whose places outlive the process that uses them."""

    def __init__(self) -> None:
        self.place = Place()

    def backends(self) -> dict[str, Backend]:
        def canonical(place: str) -> str:
            if place:
                raise Invalid(field="spec.place", reason="there is but one")
            return "memory"

        def open_driver(place: str) -> LayerDriver:
            return SimulatedDriver(self.place)

        return {"simulated": Backend(canonical=canonical, prepare=lambda place: None, open=open_driver)}


def test_a_long_copy_holds_up_no_snapshot_of_another_disk_of_the_same_tree(here: Installation) -> None:
    volume = here.volume()
    snap = here.snapshot(volume)
    copy = here.clone(snap)
    here.script.delay("stage", 3.0)
    here.act(here.volumes, copy, "flatten")
    eventually(lambda: here.storage.background.look(here.tree_id(copy)).busy)
    begun = time.monotonic()
    here.write(volume, 0, b"x")
    here.snapshot(volume, "meanwhile")
    other = here.clone(snap, "another")
    took = time.monotonic() - begun
    assert here.show(here.volumes, copy).state.state is State.RECONCILING, "the copy is still going on"
    assert took < 3.0
    here.script.clear()
    assert here.active(here.volumes, copy).status.flattened
    assert here.read(here.volumes, other) == bytes(MIB)


def test_what_fails_for_want_of_space_is_told_and_goes_on_when_there_is_some(here: Installation) -> None:
    volume = here.volume()
    here.write(volume, 0, b"precious")
    here.script.fail("create", lambda: NoSpace(place="memory", action="create a layer"), times=10**6)
    snap = here.create(here.snaps, name="moment", bs_volume_id=volume).id
    eventually(lambda: here.show(here.volumes, volume).status.problem)
    assert "no space left" in here.show(here.volumes, volume).status.problem
    assert (
        "bs_volume_stuck",
        "disk: memory has no space left while it tried to create a layer",
    ) in here.events()
    row = here.database.read(lambda tx: tx.execute(WORK.select().where(WORK.c.kind == "tree")).first())
    assert row is not None
    eventually(lambda: "no space left" in (here.tree_error() or ""))
    here.script.clear()
    here.active(here.snaps, snap)
    eventually(lambda: here.show(here.volumes, volume).status.problem is None)
    assert any(event == "bs_volume_recovered" for event, _ in here.events())
    assert here.read(here.snaps, snap, 0, 8) == b"precious"


def test_a_merge_that_fails_rests_and_loses_nothing(here: Installation) -> None:
    volume = here.volume()
    here.write(volume, 0, b"one")
    snap = here.snapshot(volume)
    here.write(volume, 3, b"two")
    here.script.fail("commit", lambda: NoSpace(place="memory", action="merge"), times=2)
    here.script.fail("stage", lambda: NoSpace(place="memory", action="merge"), times=2)
    here.remove(here.snaps, snap)
    eventually(lambda: here.show(here.volumes, volume).status.problem)
    assert here.read(here.volumes, volume, 0, 6) == b"onetwo"
    eventually(lambda: len(here.stored_layers()) == 1)
    eventually(lambda: here.show(here.volumes, volume).status.problem is None)
    assert here.read(here.volumes, volume, 0, 6) == b"onetwo"


def test_a_place_that_does_not_answer_is_told_to_those_who_wait_for_it(here: Installation) -> None:
    volume = here.volume()
    gone = BackendUnavailable(place="memory", reason="nobody is there")
    here.script.fail("*", lambda: gone, times=10**6)
    snap = here.create(here.snaps, name="moment", bs_volume_id=volume).id
    eventually(lambda: "nobody is there" in (here.show(here.snaps, snap).status.problem or ""))
    here.script.clear()
    assert here.active(here.snaps, snap).status.problem is None


def test_a_lost_layer_is_never_made_again_and_all_who_need_it_are_told(here: Installation) -> None:
    volume = here.volume()
    snap = here.snapshot(volume)
    copy = here.clone(snap)
    driver = here.driver()
    assert isinstance(driver, SimulatedDriver)
    lost = here.layer_of(here.volumes, volume)
    driver.place.remove(lost)
    # what is settled is not looked at without need; growing is one
    here.update(here.volumes, volume, size_mb=2)
    eventually(
        lambda: "it was there once and is gone" in (here.show(here.volumes, volume).status.problem or "")
    )
    assert driver.observe(lost) is None
    assert here.show(here.volumes, copy).status.problem is None


def test_a_chain_deeper_than_its_policys_limit_is_shortened_and_reads_the_same(here: Installation) -> None:
    policy = here.policy(chain_limit=4)
    volume = here.volume(bs_policy_id=policy)
    snaps = {}
    for number in range(12):
        here.write(volume, number, bytes([number + 1]))
        snaps[number] = here.snapshot(volume, str(number))
    driver = here.driver(policy)

    def shallow() -> bool:
        layers = [here.layer_of(here.snaps, snap) for snap in snaps.values()]
        layers.append(here.layer_of(here.volumes, volume))
        return all(driver.hops(layer) <= 4 for layer in layers)

    eventually(shallow, 30)
    here.at_rest()
    for number, snap in snaps.items():
        content = bytes(range(1, number + 2)).ljust(12, b"\0")
        assert here.read(here.snaps, snap, 0, 12) == content


def test_the_tree_of_a_volume_shows_its_layers_their_names_and_whose_bytes_they_are(
    here: Installation,
) -> None:
    volume = here.volume(access=MEMBER)
    here.write(volume, 0, b"shared")
    snap = here.snapshot(volume, "moment", access=MEMBER)
    copy = here.clone(snap, "copy", access=MEMBER)
    here.write(copy, 0, b"own")
    here.clone(snap, "theirs")
    here.database.write(lambda tx: here.storage.bs_volumes.store.mark(tx, copy + 1, {"project_id": 2}))
    here.remove(here.snaps, snap)
    here.weigh_again()
    here.at_rest()
    tree = here.database.read(lambda tx: here.storage.trees.of_volume(tx, MEMBER, volume))
    [root] = [node for node in tree.nodes if node.parent is None]
    assert (root.hidden, root.frozen, root.allocated_byte, root.names) == (True, True, 6, [])
    shown = {(name.resource_type, name.id, name.name) for node in tree.nodes for name in node.names}
    assert shown == {
        ("bs_volume", volume, "disk"),
        ("bs_volume", copy, "copy"),
        ("bs_volume", None, None),
    }, "of another project's there is no more than that it is there"
    assert tree.virtual_byte == 3 * MIB
    assert (tree.exclusive_byte, tree.shared_byte, tree.reclaimable_byte) == (3, 6, 0)
    assert tree.allocated_byte == 9
    with pytest.raises(Exception, match="there is no bs_volume"):
        here.database.read(lambda tx: here.storage.trees.of_volume(tx, NEIGHBOUR, volume))


def test_what_a_volume_and_a_snapshot_take_is_counted(here: Installation) -> None:
    volume = here.volume()
    here.write(volume, 0, bytes(range(100)))
    snap = here.snapshot(volume)
    here.write(volume, 50, bytes(range(1, 21)))
    here.weigh_again()
    eventually(lambda: here.show(here.volumes, volume).status.allocated_size_byte == 100)
    assert here.show(here.volumes, volume).status.exclusive_size_byte == 20
    eventually(lambda: here.show(here.snaps, snap).status.allocated_size_byte == 20)
    eventually(lambda: here.show(here.snaps, snap).status.shared_size_byte == 80)
    here.rollback(volume, snap)
    here.remove(here.volumes, here.clone(snap))
    eventually(lambda: here.show(here.volumes, volume).status.allocated_size_byte == 100)


def test_what_was_wanted_and_not_done_when_a_process_ended_is_done_by_the_next(database_url: str) -> None:
    memory = Memory()
    with running(database_url, memory.backends()) as here:
        volume = here.volume()
        here.write(volume, 0, b"kept")
        snap = here.snapshot(volume)
        here.stop_engine()
        here.write(volume, 0, b"lost")
        here.act(here.volumes, volume, "rollback", bs_snap_id=snap)
        copy = here.ask_for_clone(snap, flatten=True).id
        here.delete(here.snaps, snap)
    with running(database_url, memory.backends()) as here:
        here.active(here.volumes, volume)
        assert here.active(here.volumes, copy).status.flattened
        here.at_rest()
        for id in (volume, copy):
            assert here.read(here.volumes, id, 0, 4) == b"kept"
        assert set(memory.place.layers) == here.stored_layers()
        assert len(here.stored_layers()) == 2


def test_leftovers_of_interrupted_work_are_removed_at_the_next_start(sqlite_url: str) -> None:
    memory = Memory()
    with running(sqlite_url, memory.backends()) as here:
        here.volume()
    memory.place.leftovers["staged"] = next(iter(memory.place.layers.values())).own
    with running(sqlite_url, memory.backends()):
        eventually(lambda: not memory.place.leftovers)


def test_a_tree_of_a_driver_that_the_server_lacks_waits_for_one_that_has_it(sqlite_url: str) -> None:
    memory = Memory()
    with running(sqlite_url, memory.backends()) as here:
        volume = here.volume()
    with running(sqlite_url, {"other": memory.backends()["simulated"]}) as here:
        snap = here.create(here.snaps, name="moment", bs_volume_id=volume).id
        eventually(lambda: here.show(here.snaps, snap).status.problem)
        assert "without the simulated driver" in here.show(here.snaps, snap).status.problem
    with running(sqlite_url, memory.backends()) as here:
        here.active(here.snaps, snap)


def test_many_disks_of_one_tree_live_side_by_side(anywhere: Installation) -> None:
    snap = anywhere.snapshot(anywhere.volume())
    asked = [anywhere.ask_for_clone(snap, f"copy-{number}").id for number in range(30)]
    for id in asked:
        anywhere.active(anywhere.volumes, id)
    layers: set[LayerId] = {anywhere.layer_of(anywhere.volumes, id) for id in asked}
    assert len(layers) == 30
    for id in itertools.chain(asked):
        anywhere.delete(anywhere.volumes, id)
    for id in asked:
        anywhere.gone(anywhere.volumes, id)
    anywhere.at_rest()
    assert len(anywhere.stored_layers()) == 2


def test_a_layer_that_is_in_use_for_a_moment_is_waited_for_without_a_word(here: Installation) -> None:
    volume = here.volume()
    layer = here.layer_of(here.volumes, volume)
    with here.driver().open_writing(layer) as writer:
        writer.write(0, b"last words")
        snap = here.create(here.snaps, name="moment", bs_volume_id=volume).id
        time.sleep(0.5)
    here.active(here.snaps, snap)
    assert here.read(here.snaps, snap, 0, 10) == b"last words"
    assert not [event for event, _ in here.events() if event in ("bs_snap_stuck", "reconcile_failed")]


def test_a_layer_that_stays_in_use_is_told_of(here: Installation) -> None:
    volume = here.volume()
    layer = here.layer_of(here.volumes, volume)
    with here.driver().open_writing(layer):
        snap = here.create(here.snaps, name="moment", bs_volume_id=volume).id
        eventually(lambda: here.show(here.snaps, snap).status.problem)
        assert "is in use" in here.show(here.snaps, snap).status.problem
    assert here.active(here.snaps, snap).status.problem is None


def test_what_is_done_to_a_disk_stops_when_the_disk_is_deleted(here: Installation) -> None:
    snap = here.snapshot(here.volume())
    copy = here.clone(snap)
    tree = here.tree_id(copy)
    here.script.delay("stage", 1.0)
    here.act(here.volumes, copy, "flatten")
    eventually(lambda: here.storage.background.look(tree).busy)
    here.remove(here.volumes, copy)
    eventually(lambda: not here.storage.background.look(tree).busy)
    here.at_rest()
    assert len(here.stored_layers()) == 2


def test_a_place_that_forgets_is_filled_again_when_the_next_process_starts(sqlite_url: str) -> None:
    def forgetful() -> dict[str, Backend]:
        return {"simulated": replace(Memory().backends()["simulated"], forgets=True)}

    with running(sqlite_url, forgetful()) as here:
        volume = here.volume()
        snap = here.snapshot(volume)
        copy = here.clone(snap)
        here.remove(here.snaps, snap)
    with running(sqlite_url, forgetful()) as here:
        assert set(here.driver().survey().layers) == here.stored_layers()
        here.update(here.volumes, copy, size_mb=2)
        assert here.active(here.volumes, copy).status.problem is None
        here.snapshot(volume, "another")


def test_a_copy_that_is_dropped_while_it_is_made_stops_and_leaves_nothing(
    here: Installation, tmp_path: Path
) -> None:
    file = tmp_path / "disk.raw"
    file.write_bytes(b"foreign" + bytes(MIB - 7))
    policy = here.show(here.policies, here.default_policy).spec
    name = rows.name_of(NameKind.CUT, 1)

    def create(transaction: Transaction) -> None:
        here.storage.disks.create(
            transaction,
            name,
            called="copy",
            policy_id=here.default_policy,
            driver=policy.driver,
            place=policy.place,
            size_bytes=MIB,
            origin=Source.file(file, format="raw"),
        )

    here.script.delay("stage", 0.5)
    here.database.write(create)
    [tree] = here.trees()
    eventually(lambda: here.storage.background.look(tree.id).busy)
    here.database.write(lambda tx: here.storage.disks.drop(tx, name))
    here.at_rest()
    eventually(lambda: not here.trees())
    assert not here.stored_layers()
    assert dict(here.driver().survey().layers) == {}


def test_a_look_at_a_large_tree_loads_no_more_than_has_to_be_looked_at(anywhere: Installation) -> None:
    volume = anywhere.volume()
    snaps = [anywhere.snapshot(volume, str(number)) for number in range(40)]
    anywhere.at_rest()
    anywhere.stop_engine()
    tree = anywhere.tree_id(volume)

    def looked_at() -> int:
        return len(anywhere.database.read(lambda tx: rows.load_loose(tx, tree)).layers)

    assert looked_at() == 0
    anywhere.create(anywhere.snaps, name="another", bs_volume_id=volume)
    assert looked_at() == 3, "the layer to freeze, the one below and the one above"
    anywhere.act(anywhere.volumes, volume, "rollback", bs_snap_id=snaps[20])
    assert looked_at() == 5, "and the layer gone back to, with the one that the volume goes on in"
