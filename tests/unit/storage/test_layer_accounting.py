"""Capacity that adds up."""

from hypothesis import given
from hypothesis import strategies as st
from layer_planning import head, layer_id, snap, tree

from stratal.storage import layers
from stratal.storage.layers import Graph, Name


def itself(name: Name) -> Name:
    return name


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, dict]:
    count = draw(st.integers(1, 25))
    parents = {"0": None} | {str(at): str(draw(st.integers(0, at - 1))) for at in range(1, count)}
    named = draw(st.lists(st.integers(0, count - 1), max_size=12))
    names = {(head if at % 3 else snap)(str(at)): str(layer) for at, layer in enumerate(named)}
    weights = {layer_id(each): draw(st.integers(0, 1000)) for each in parents}
    return tree(parents, names), weights


@given(graphs(), st.integers(1, 4))
def test_exclusive_and_shared_and_reclaimable_make_up_what_is_allocated(case, owners: int) -> None:
    graph, weights = case
    accounts = layers.account(graph, allocated=weights, owner=lambda name: int(name.id) % owners)
    assert accounts.allocated_bytes == sum(weights.values())
    assert (
        accounts.exclusive_bytes + accounts.shared_bytes + accounts.reclaimable_bytes
        == accounts.allocated_bytes
    )
    assert accounts.exclusive_bytes == sum(each.exclusive_bytes for each in accounts.by_owner.values())
    assert accounts.virtual_bytes == sum(each.virtual_bytes for each in accounts.by_owner.values())


@given(graphs())
def test_what_a_name_needs_is_what_lies_on_its_path(case) -> None:
    graph, weights = case
    accounts = layers.account(graph, allocated=weights, owner=itself)
    for name, layer in graph.names.items():
        path = [layer, *(below.id for below in graph.ancestors(layer))]
        account = accounts.by_owner[name]
        assert account.exclusive_bytes + account.shared_bytes == sum(weights[each] for each in path)


@given(graphs(), st.data())
def test_dropping_a_name_makes_its_exclusive_bytes_reclaimable(case, data: st.DataObject) -> None:
    graph, weights = case
    if not graph.names:
        return
    name = data.draw(st.sampled_from(list(graph.names)))
    before = layers.account(graph, allocated=weights, owner=itself)
    after = layers.account(layers.drop(graph, name=name).graph, allocated=weights, owner=itself)
    freed = after.reclaimable_bytes - before.reclaimable_bytes
    assert freed == before.by_owner[name].exclusive_bytes


def test_snapshots_of_one_volume_share_with_it_and_the_volume_with_nobody() -> None:
    graph = tree({"a": None, "b": "a"}, {snap("1"): "a", head("v"): "b"}, size_bytes=100)
    weights = {layer_id("a"): 30, layer_id("b"): 5}
    by_name = layers.account(graph, allocated=weights, owner=itself)
    assert by_name.by_owner[head("v")].exclusive_bytes == 5
    assert by_name.by_owner[snap("1")].exclusive_bytes == 0
    assert by_name.shared_bytes == 30
    by_volume = layers.account(graph, allocated=weights, owner=lambda name: "v")
    assert by_volume.by_owner["v"].exclusive_bytes == 35
    assert by_volume.virtual_bytes == 100
