"""What each decision declares, before any driver is asked."""

import pytest
from layer_planning import head, layer_id, settled, snap, tree

from stratal.kernel.errors import Conflict, NotFound
from stratal.storage import layers
from stratal.storage.drivers.contract import Location, Transport
from stratal.storage.drivers.errors import CannotShrink
from stratal.storage.layers import (
    Adopt,
    CreateChild,
    CreateRoot,
    Flatten,
    Freeze,
    Graph,
    Name,
    NameKind,
    Resize,
)

VOLUME = tree({"a": None, "b": "a"}, {snap("1"): "a", head("v"): "b"})


def test_a_volume_starts_as_an_empty_root() -> None:
    plan = layers.create(Graph.of(), name=head("v"), layer=layer_id("a"), size_bytes=10)
    assert plan.steps == (CreateRoot(layer=layer_id("a"), size_bytes=10, source=None),)
    assert plan.graph.named(head("v")).id == "a"


def test_an_image_taken_over_in_place_is_frozen() -> None:
    location = Location(transport=Transport.FILE, address="/images/a.qcow2", format="qcow2")
    image = Name(kind=NameKind.IMAGE, id="i")
    plan = layers.create(Graph.of(), name=image, layer=layer_id("a"), size_bytes=10, origin=location)
    assert plan.steps == (Adopt(layer=layer_id("a"), location=location), Freeze(layer=layer_id("a")))


def test_a_snapshot_freezes_the_head_and_puts_a_new_one_on_top() -> None:
    plan = layers.snapshot(VOLUME, head=head("v"), name=snap("2"), new_head=layer_id("c"))
    assert plan.steps == (
        Freeze(layer=layer_id("b")),
        CreateChild(layer=layer_id("c"), parent=layer_id("b"), size_bytes=100),
    )
    assert plan.graph.named(snap("2")).id == "b"
    assert plan.graph.named(head("v")).id == "c"


def test_a_decision_leaves_the_graph_it_was_made_on_alone() -> None:
    layers.snapshot(VOLUME, head=head("v"), name=snap("2"), new_head=layer_id("c"))
    assert set(VOLUME.layers) == {"a", "b"}
    assert VOLUME.named(head("v")).id == "b"
    assert not VOLUME.layer(layer_id("b")).frozen


def test_a_delta_holds_just_what_changed() -> None:
    plan = layers.snapshot(VOLUME, head=head("v"), name=snap("2"), new_head=layer_id("c"))
    assert {layer.id for layer in plan.delta.layers} == {"b", "c"}
    assert plan.delta.names == {snap("2"): "b", head("v"): "c"}
    assert plan.delta.gone == ()
    assert layers.drop(VOLUME, name=snap("1")).delta.dropped == (snap("1"),)


def test_rolling_back_starts_a_new_head_and_keeps_every_snapshot() -> None:
    graph = settled(layers.snapshot(VOLUME, head=head("v"), name=snap("2"), new_head=layer_id("c")).graph)
    plan = layers.rollback(graph, head=head("v"), to=snap("1"), new_head=layer_id("d"))
    assert plan.steps == (CreateChild(layer=layer_id("d"), parent=layer_id("a"), size_bytes=100),)
    assert plan.graph.named(snap("2")).id == "b"
    assert plan.graph.hidden == {"c"}


def test_a_clone_hangs_on_the_layer_of_its_source() -> None:
    plan = layers.clone(VOLUME, source=snap("1"), name=head("w"), layer=layer_id("w"), size_bytes=200)
    assert plan.steps == (CreateChild(layer=layer_id("w"), parent=layer_id("a"), size_bytes=200),)


def test_a_clone_of_a_volume_leaves_a_hidden_layer_between_both() -> None:
    plan = layers.clone(VOLUME, source=head("v"), name=head("w"), layer=layer_id("w"), new_head=layer_id("c"))
    assert plan.graph.hidden == {"b"}
    assert plan.graph.children(layer_id("b")) == {"c", "w"}
    assert len(plan.steps) == 3


def test_a_shared_layer_lasts_until_its_last_name_goes() -> None:
    image = Name(kind=NameKind.IMAGE, id="i")
    graph = layers.share(VOLUME, source=snap("1"), name=image).graph
    graph = layers.drop(graph, name=snap("1")).graph
    assert not graph.hidden
    assert layers.drop(graph, name=image).graph.hidden == {"a"}


def test_dropping_what_has_no_name_changes_nothing() -> None:
    plan = layers.drop(VOLUME, name=snap("none"))
    assert plan.delta == layers.Delta()


def test_flattening_hangs_the_layer_on_nothing() -> None:
    plan = layers.flatten(VOLUME, name=head("v"))
    assert plan.steps == (Flatten(layer=layer_id("b"), onto=None),)
    assert layers.flatten(settled(plan.graph), name=head("v")).steps == ()


def test_a_volume_that_is_still_being_made_is_not_flattened() -> None:
    plan = layers.clone(VOLUME, source=snap("1"), name=head("w"), layer=layer_id("w"))
    with pytest.raises(Conflict):
        layers.flatten(plan.graph, name=head("w"))


def test_a_volume_grows_and_does_not_shrink() -> None:
    assert layers.resize(VOLUME, head=head("v"), size_bytes=150).steps == (
        Resize(layer=layer_id("b"), size_bytes=150),
    )
    assert layers.resize(VOLUME, head=head("v"), size_bytes=100).steps == ()
    with pytest.raises(CannotShrink):
        layers.resize(VOLUME, head=head("v"), size_bytes=99)


def test_a_clone_and_a_rolled_back_volume_are_at_least_as_large_as_their_source() -> None:
    with pytest.raises(CannotShrink):
        layers.clone(VOLUME, source=snap("1"), name=head("w"), layer=layer_id("w"), size_bytes=99)
    with pytest.raises(CannotShrink):
        layers.rollback(VOLUME, head=head("v"), to=snap("1"), new_head=layer_id("c"), size_bytes=99)


def test_names_and_layers_in_use_are_not_used_again() -> None:
    with pytest.raises(Conflict):
        layers.create(VOLUME, name=head("v"), layer=layer_id("x"), size_bytes=1)
    with pytest.raises(Conflict):
        layers.create(VOLUME, name=head("x"), layer=layer_id("a"), size_bytes=1)
    with pytest.raises(Conflict):
        layers.snapshot(VOLUME, head=head("v"), name=snap("1"), new_head=layer_id("c"))


def test_only_volumes_are_written_to_and_only_frozen_layers_are_gone_back_to() -> None:
    with pytest.raises(Conflict):
        layers.snapshot(VOLUME, head=snap("1"), name=snap("2"), new_head=layer_id("c"))
    with pytest.raises(Conflict):
        layers.resize(VOLUME, head=snap("1"), size_bytes=200)
    with pytest.raises(Conflict):
        layers.rollback(VOLUME, head=head("v"), to=head("v"), new_head=layer_id("c"))
    with pytest.raises(Conflict):
        layers.share(VOLUME, source=head("v"), name=snap("2"))


def test_unknown_names_are_not_found() -> None:
    with pytest.raises(NotFound):
        layers.snapshot(VOLUME, head=head("w"), name=snap("2"), new_head=layer_id("c"))


def test_descendants_come_after_what_they_hang_on() -> None:
    graph = tree({"a": None, "b": "a", "c": "b", "d": "a", "e": "d"}, {head("v"): "e"})
    seen = ["a", *(layer.id for layer in graph.descendants(layer_id("a")))]
    assert sorted(seen) == ["a", "b", "c", "d", "e"]
    assert all(seen.index(graph.layer(layer_id(each)).parent or "a") <= seen.index(each) for each in seen)
