"""Volumes: made, written to, grown, rolled back, cloned, flattened, deleted."""

import pytest

from storage_installation import MEMBER, NEIGHBOUR, Installation, eventually
from stratal.kernel.errors import Conflict, Invalid, NotFound
from stratal.kernel.state import State
from stratal.storage import Use
from stratal.storage.bs_volume.model import MIB


def test_a_new_volume_reads_as_zeros_and_has_the_size_that_was_asked_for(anywhere: Installation) -> None:
    id = anywhere.volume(size_mb=3)
    volume = anywhere.show(anywhere.volumes, id)
    assert (volume.spec.flattened, volume.status.flattened) == (True, True)
    assert volume.status.size_mb == 3
    assert len(volume.spec.serial) == 20
    assert anywhere.read(anywhere.volumes, id) == bytes(3 * MIB)


def test_a_snapshot_keeps_what_the_volume_held(anywhere: Installation) -> None:
    volume = anywhere.volume()
    anywhere.write(volume, 10, b"before")
    snap = anywhere.snapshot(volume)
    anywhere.write(volume, 10, b"after!")
    assert anywhere.read(anywhere.snaps, snap, 10, 6) == b"before"
    assert anywhere.read(anywhere.volumes, volume, 10, 6) == b"after!"
    assert anywhere.show(anywhere.snaps, snap).spec.size_mb == 1


def test_one_can_roll_back_to_any_snapshot_and_forward_again(here: Installation) -> None:
    volume = here.volume()
    snaps = {}
    for content in (b"one", b"two", b"three"):
        here.write(volume, 0, content)
        snaps[content] = here.snapshot(volume, content.decode())
    for content in (b"one", b"three", b"two", b"one"):
        here.rollback(volume, snaps[content])
        assert here.read(here.volumes, volume, 0, len(content)) == content
    found = here.show(here.volumes, volume)
    assert (found.spec.rollback_num, found.status.rollback_num) == (4, 4)
    assert found.spec.rollback_bs_snap_id == snaps[b"one"]


def test_a_volume_says_that_it_is_rolling_back_until_it_has(here: Installation) -> None:
    volume = here.volume()
    snap = here.snapshot(volume)
    here.script.delay("create", 0.3)
    asked = here.act(here.volumes, volume, "rollback", bs_snap_id=snap)
    assert asked.state.state is State.RECONCILING
    assert asked.state.diff_fields.reconciling == ["rollback_num"]
    assert here.active(here.volumes, volume).status.rollback_num == 1


def test_requests_that_follow_each_other_at_once_are_carried_out_in_their_order(
    anywhere: Installation,
) -> None:
    """What is decided is decided in the request, so nothing has to be waited for in between."""
    volume = anywhere.volume()
    anywhere.write(volume, 0, b"first")
    create = {"bs_volume_id": volume}
    first = anywhere.create(anywhere.snaps, name="first", **create).id
    second = anywhere.create(anywhere.snaps, name="second", **create).id
    anywhere.update(anywhere.volumes, volume, size_mb=2)
    anywhere.act(anywhere.volumes, volume, "rollback", bs_snap_id=first)
    third = anywhere.create(anywhere.snaps, name="third", **create).id
    copy = anywhere.ask_for_clone(third, "copy").id
    anywhere.delete(anywhere.snaps, first)
    anywhere.delete(anywhere.snaps, third)
    anywhere.active(anywhere.volumes, copy)
    anywhere.active(anywhere.snaps, second)
    anywhere.at_rest()
    assert anywhere.read(anywhere.volumes, copy, 0, 5) == b"first"
    assert anywhere.show(anywhere.volumes, copy).status.size_mb == 2
    assert anywhere.show(anywhere.snaps, second).spec.size_mb == 1
    assert anywhere.read(anywhere.volumes, volume, 0, 5) == b"first"


def test_a_clone_shares_until_it_is_flattened(here: Installation) -> None:
    volume = here.volume()
    here.write(volume, 0, b"golden")
    snap = here.snapshot(volume)
    copy = here.clone(snap)
    eventually(lambda: here.show(here.snaps, snap).status.cloned_volume_num == 1)
    assert here.show(here.volumes, copy).spec.bs_snap_id == snap
    here.act(here.volumes, copy, "flatten")
    assert here.active(here.volumes, copy).status.flattened
    eventually(lambda: here.show(here.snaps, snap).status.cloned_volume_num == 0)
    assert here.tree_layers(copy)[0].parent is None
    assert here.read(here.volumes, copy, 0, 6) == b"golden"


def test_a_clone_can_be_flattened_from_the_start(here: Installation) -> None:
    volume = here.volume()
    here.write(volume, 0, b"golden")
    snap = here.snapshot(volume)
    copy = here.clone(snap, flatten=True)
    assert here.show(here.volumes, copy).status.flattened
    assert len(here.tree_layers(copy)) == 1
    assert here.read(here.volumes, copy, 0, 6) == b"golden"


def test_a_rollback_to_before_a_flattening_does_not_copy_again(here: Installation) -> None:
    snap = here.snapshot(here.volume())
    copy = here.clone(snap)
    before = here.snapshot(copy, "before")
    here.act(here.volumes, copy, "flatten")
    here.active(here.volumes, copy)
    here.rollback(copy, before)
    found = here.show(here.volumes, copy)
    assert (found.spec.flattened, found.status.flattened) == (False, False)
    assert len(here.tree_layers(copy)) > 1


def test_a_snapshot_with_clones_can_be_deleted_and_its_layer_stays_for_them(here: Installation) -> None:
    volume = here.volume()
    here.write(volume, 0, b"golden")
    snap = here.snapshot(volume)
    copies = [here.clone(snap, f"copy-{number}") for number in range(3)]
    here.remove(here.snaps, snap)
    here.remove(here.volumes, volume)
    here.at_rest()
    for copy in copies:
        assert here.read(here.volumes, copy, 0, 6) == b"golden"
    for copy in copies[1:]:
        here.remove(here.volumes, copy)
    here.at_rest()
    assert here.read(here.volumes, copies[0], 0, 6) == b"golden"
    assert len(here.stored_layers()) == 1, "what is hidden went into the one that still needed it"
    here.remove(here.volumes, copies[0])
    eventually(lambda: not here.stored_layers())
    assert not here.driver().survey().layers


def test_a_volume_grows_and_never_shrinks(here: Installation) -> None:
    id = here.volume(size_mb=2)
    here.update(here.volumes, id, size_mb=5)
    assert here.active(here.volumes, id).status.size_mb == 5
    assert here.read(here.volumes, id) == bytes(5 * MIB)
    with pytest.raises(Invalid, match=r"spec\.size_mb: the volume has 5 MiB"):
        here.update(here.volumes, id, size_mb=4)
    assert here.show(here.volumes, id).spec.size_mb == 5


def test_a_volume_keeps_its_size_when_it_is_rolled_back(here: Installation) -> None:
    id = here.volume(size_mb=1)
    snap = here.snapshot(id)
    here.update(here.volumes, id, size_mb=4)
    here.rollback(id, snap)
    assert here.show(here.volumes, id).status.size_mb == 4


def test_a_volume_with_snapshots_cannot_be_deleted_and_the_refusal_names_them(here: Installation) -> None:
    id = here.volume()
    for name in ("monday", "tuesday"):
        here.snapshot(id, name)
    with pytest.raises(Conflict, match="monday, tuesday"):
        here.delete(here.volumes, id)
    assert here.show(here.volumes, id).state.state is State.ACTIVE


def test_a_volume_in_use_can_be_neither_deleted_nor_rolled_back(here: Installation) -> None:
    id = here.volume()
    snap = here.snapshot(id)
    here.uses[id] = Use(vm_disk_id=7, mapping_num=1, protocol="file")
    with pytest.raises(Conflict, match="vm_disk 7"):
        here.delete(here.volumes, id)
    with pytest.raises(Conflict, match="vm_disk 7"):
        here.act(here.volumes, id, "rollback", bs_snap_id=snap)
    here.uses.clear()
    here.rollback(id, snap)


def test_a_volume_rolls_back_to_its_own_snapshots_only(here: Installation) -> None:
    mine, other = here.volume("mine"), here.volume("other")
    snap = here.snapshot(other)
    with pytest.raises(Invalid, match=r"spec\.bs_snap_id"):
        here.act(here.volumes, mine, "rollback", bs_snap_id=snap)
    assert here.show(here.volumes, mine).spec.rollback_num == 0


def test_what_is_being_deleted_is_neither_cloned_nor_rolled_back_to(here: Installation) -> None:
    volume = here.volume()
    snap = here.snapshot(volume)
    here.hold_up(here.snaps, snap)
    here.delete(here.snaps, snap)
    with pytest.raises(Conflict, match="being deleted"):
        here.ask_for_clone(snap)
    with pytest.raises(Conflict, match="being deleted"):
        here.act(here.volumes, volume, "rollback", bs_snap_id=snap)


def test_a_project_neither_sees_nor_uses_what_another_has(here: Installation) -> None:
    volume = here.volume(access=MEMBER)
    snap = here.snapshot(volume, access=MEMBER)
    own = here.volume("own", access=NEIGHBOUR)
    with pytest.raises(NotFound):
        here.show(here.volumes, volume, NEIGHBOUR)
    with pytest.raises(NotFound):
        here.delete(here.snaps, snap, NEIGHBOUR)
    with pytest.raises(Invalid, match=f"there is no bs_volume {volume}"):
        here.create(here.snaps, NEIGHBOUR, name="theirs", bs_volume_id=volume)
    with pytest.raises(Invalid, match=f"there is no bs_snap {snap}"):
        here.ask_for_clone(snap, access=NEIGHBOUR)
    with pytest.raises(Invalid, match=f"there is no bs_snap {snap}"):
        here.act(here.volumes, own, "rollback", NEIGHBOUR, bs_snap_id=snap)


def test_an_administrators_snapshot_belongs_to_the_volumes_project(here: Installation) -> None:
    volume = here.volume(access=NEIGHBOUR)
    snap = here.snapshot(volume)
    assert here.show(here.snaps, snap, NEIGHBOUR).spec.project_id == 2


@pytest.mark.parametrize(("field", "value"), [("max_total_iops", 999), ("max_total_bw_bps", 2**20)])
def test_a_limit_of_speed_is_none_or_one_that_a_guest_can_live_with(
    here: Installation, field: str, value: int
) -> None:
    with pytest.raises(Invalid, match=f"spec.{field}"):
        here.volume(**{field: value})
    id = here.volume(max_total_iops=5000)
    with pytest.raises(Invalid, match=f"spec.{field}"):
        here.update(here.volumes, id, **{field: value})


def test_a_volume_has_its_policys_limits_of_speed_unless_it_names_others(here: Installation) -> None:
    policy = here.policy(max_total_iops=2000, max_total_bw_bps=200 * MIB)
    first = here.show(here.volumes, here.volume(bs_policy_id=policy)).spec
    second = here.show(here.volumes, here.volume(bs_policy_id=policy, max_total_iops=0)).spec
    assert (first.max_total_iops, first.max_total_bw_bps) == (2000, 200 * MIB)
    assert (second.max_total_iops, second.max_total_bw_bps) == (0, 200 * MIB)


def test_deleting_everything_leaves_nothing(anywhere: Installation) -> None:
    volume = anywhere.volume()
    snaps = [anywhere.snapshot(volume, str(number)) for number in range(4)]
    copy = anywhere.clone(snaps[1])
    for snap in (snaps[2], snaps[0], snaps[3], snaps[1]):
        anywhere.delete(anywhere.snaps, snap)
    for snap in snaps:
        anywhere.gone(anywhere.snaps, snap)
    for id in (volume, copy):
        anywhere.remove(anywhere.volumes, id)
    eventually(lambda: not anywhere.stored_layers())
    eventually(lambda: not anywhere.trees())
    assert not anywhere.driver().survey().layers
