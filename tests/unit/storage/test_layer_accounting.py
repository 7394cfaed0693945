"""Capacity that adds up."""

from hypothesis import given
from hypothesis import strategies as st
from layer_planning import head, layer_id, snap, tree

from stratal.storage import layers
from stratal.storage.layers import Graph, Name


def itself(name: Name) -> Name:
    return name


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, dict, dict]:
    """A graph, what its layers weigh, and how much of each one that hangs on it alone has written over."""
    count = draw(st.integers(1, 25))
    parents = {"0": None} | {str(at): str(draw(st.integers(0, at - 1))) for at in range(1, count)}
    named = draw(st.lists(st.integers(0, count - 1), max_size=12))
    names = {(head if at % 3 else snap)(str(at)): str(layer) for at, layer in enumerate(named)}
    weights = {layer_id(each): draw(st.integers(0, 1000)) for each in parents}
    graph = tree(parents, names)
    covered = {layer: draw(st.integers(0, 1200)) for layer, _ in layers.covers(graph)}
    return graph, weights, covered


@given(graphs(), st.integers(1, 4))
def test_exclusive_and_shared_and_reclaimable_make_up_what_is_allocated(case, owners: int) -> None:
    graph, weights, covered = case
    accounts = layers.account(
        graph, allocated=weights, covered=covered, owner=lambda name: int(name.id) % owners
    )
    assert accounts.allocated_bytes == sum(weights.values())
    assert (
        accounts.exclusive_bytes + accounts.shared_bytes + accounts.reclaimable_bytes
        == accounts.allocated_bytes
    )
    assert accounts.exclusive_bytes == sum(each.exclusive_bytes for each in accounts.by_owner.values())
    assert accounts.virtual_bytes == sum(each.virtual_bytes for each in accounts.by_owner.values())


@given(graphs())
def test_what_a_name_needs_is_its_layer_and_what_shines_through_from_those_below(case) -> None:
    graph, weights, covered = case
    accounts = layers.account(graph, allocated=weights, covered=covered, owner=itself)
    for name, layer in graph.names.items():
        below = [each.id for each in graph.ancestors(layer)]
        shining = sum(weights[each] - min(covered.get(each, 0), weights[each]) for each in below)
        account = accounts.by_owner[name]
        assert account.exclusive_bytes + account.shared_bytes == weights[layer] + shining


@given(graphs())
def test_what_a_snapshot_below_one_layer_has_for_itself_is_what_that_has_written_over(case) -> None:
    graph, weights, covered = case
    accounts = layers.account(graph, allocated=weights, covered=covered, owner=itself)
    for layer, child in layers.covers(graph):
        names = graph.names_of(layer)
        above = [each for each in graph.names if each not in names]
        needed = any(
            child in (graph.names[each], *(b.id for b in graph.ancestors(graph.names[each])))
            for each in above
        )
        if len(names) == 1 and needed:
            [name] = names
            assert accounts.by_owner[name].exclusive_bytes == min(covered[layer], weights[layer])


@given(graphs(), st.data())
def test_dropping_a_name_makes_its_exclusive_layers_reclaimable(case, data: st.DataObject) -> None:
    graph, weights, _ = case
    if not graph.names:
        return
    name = data.draw(st.sampled_from(list(graph.names)))
    before = layers.account(graph, allocated=weights, covered={}, owner=itself)
    after = layers.account(layers.drop(graph, name=name).graph, allocated=weights, covered={}, owner=itself)
    freed = after.reclaimable_bytes - before.reclaimable_bytes
    assert freed == before.by_owner[name].exclusive_bytes


def test_a_snapshot_has_for_itself_what_was_written_over_and_the_rest_is_shared() -> None:
    graph = tree({"a": None, "b": "a"}, {snap("1"): "a", head("v"): "b"}, size_bytes=100)
    weights = {layer_id("a"): 30, layer_id("b"): 5}
    by_name = layers.account(graph, allocated=weights, covered={layer_id("a"): 4}, owner=itself)
    assert by_name.by_owner[snap("1")].exclusive_bytes == 4
    assert by_name.by_owner[snap("1")].shared_bytes == 26
    assert by_name.by_owner[head("v")].exclusive_bytes == 5
    assert by_name.by_owner[head("v")].shared_bytes == 26
    assert by_name.shared_bytes == 26
    by_volume = layers.account(graph, allocated=weights, covered={}, owner=lambda name: "v")
    assert by_volume.by_owner["v"].exclusive_bytes == 35
    assert by_volume.virtual_bytes == 100
