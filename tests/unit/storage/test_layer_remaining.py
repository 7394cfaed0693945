"""What is left to do when the world is not, or not yet, as the graph."""

from dataclasses import replace

from layer_planning import head, info, layer_id, nothing_weighs, settled, snap, tree, world

from stratal.storage import layers
from stratal.storage.drivers.contract import Direction
from stratal.storage.layers import Absorb, CreateChild, Delete, Flatten, Freeze, Graph, State

CHAIN = tree(
    {"a": None, "b": "a", "c": "b", "d": "c"},
    {snap("1"): "a", snap("2"): "b", snap("3"): "c", head("v"): "d"},
)


def steps_of(graph: Graph, observed: dict, weigh=nothing_weighs) -> tuple:
    return layers.remaining(graph, observed, weigh).steps


def test_nothing_remains_in_a_world_that_is_as_it_shall_be() -> None:
    assert layers.attention(CHAIN) == frozenset()
    assert steps_of(CHAIN, world(CHAIN)) == ()


def test_a_dropped_snapshot_in_the_middle_is_merged_with_its_only_child() -> None:
    graph = layers.drop(CHAIN, name=snap("2")).graph
    assert steps_of(graph, world(graph)) == (
        Absorb(parent=layer_id("b"), into=layer_id("c"), direction=Direction.DOWN),
    )


def test_a_merge_is_recorded_when_the_child_hangs_below() -> None:
    graph = layers.drop(CHAIN, name=snap("2")).graph
    observed = world(graph)
    observed[layer_id("b")] = None
    observed[layer_id("c")] = info(replace(graph.layer(layer_id("c")), parent=layer_id("a")))
    assert steps_of(graph, observed) == ()
    recorded, delta = layers.record(graph, observed)
    assert delta.gone == ("b",)
    assert recorded.layer(layer_id("c")).parent == "a"
    assert not recorded.unsettled


def test_a_dropped_snapshot_with_clones_stays_until_one_is_left() -> None:
    graph = tree({"a": None, "b": "a", "c": "a"}, {snap("1"): "a", head("v"): "b", head("w"): "c"})
    graph = layers.drop(graph, name=snap("1")).graph
    assert steps_of(graph, world(graph)) == ()
    graph = layers.drop(graph, name=head("w")).graph
    observed = world(graph)
    assert steps_of(graph, observed) == (Delete(layer=layer_id("c")),)
    observed[layer_id("c")] = None
    graph, _ = layers.record(graph, observed)
    assert steps_of(graph, observed) == (
        Absorb(parent=layer_id("a"), into=layer_id("b"), direction=Direction.DOWN),
    )


def test_a_dropped_volume_without_snapshots_goes_with_all_it_needed_from_the_top_down() -> None:
    graph = tree({"a": None, "b": "a", "c": "b"}, {head("v"): "c"})
    graph = layers.drop(graph, name=head("v")).graph
    observed = world(graph)
    assert steps_of(graph, observed) == tuple(Delete(layer=layer_id(each)) for each in "cba")
    graph, delta = layers.record(graph, dict.fromkeys(observed))
    assert graph.layers == {}
    assert set(delta.gone) == {"a", "b", "c"}


def test_a_layer_that_is_read_by_others_is_not_merged_into() -> None:
    # b hangs on a alone, and c and d on b: a may go into b's place, and never b into c or d.
    graph = tree({"a": None, "b": "a", "c": "b", "d": "b"}, {head("v"): "c", head("w"): "d"})
    assert [(step.parent, step.into) for step in steps_of(graph, world(graph))] == [("a", "b")]


def test_the_lighter_side_moves() -> None:
    graph = tree({"a": None, "b": "a"}, {head("v"): "b"})
    up = steps_of(graph, world(graph), {"a": 1, "b": 1000}.__getitem__)
    assert up == (Absorb(parent=layer_id("a"), into=layer_id("b"), direction=Direction.UP),)
    down = steps_of(graph, world(graph), {"a": 1000, "b": 1}.__getitem__)
    assert down == (Absorb(parent=layer_id("a"), into=layer_id("b"), direction=Direction.DOWN),)


def test_into_a_frozen_layer_which_others_may_be_reading_nothing_is_moved_up() -> None:
    graph = tree({"a": None, "b": "a"}, {snap("1"): "b"})
    (merge,) = steps_of(graph, world(graph), {"a": 1, "b": 1000}.__getitem__)
    assert merge.direction is Direction.DOWN


def test_a_run_of_hidden_layers_is_merged_lightest_first_and_one_at_a_time() -> None:
    graph = tree({"a": None, "b": "a", "c": "b", "d": "c"}, {head("v"): "d"})
    (merge, *rest) = steps_of(graph, world(graph), {"a": 90, "b": 80, "c": 5, "d": 70}.__getitem__)
    assert (merge.parent, merge.into) == ("b", "c")
    assert rest == []


def test_what_a_crash_left_undone_is_done() -> None:
    graph = layers.snapshot(CHAIN, head=head("v"), name=snap("4"), new_head=layer_id("e")).graph
    observed = world(CHAIN) | {layer_id("e"): None}
    create = CreateChild(layer=layer_id("e"), parent=layer_id("d"), size_bytes=100)
    assert steps_of(graph, observed) == (Freeze(layer=layer_id("d")), create)
    observed[layer_id("d")] = info(graph.layer(layer_id("d")))
    assert steps_of(graph, observed) == (create,)


def test_a_new_layer_that_nothing_needs_any_more_is_not_made() -> None:
    graph = layers.rollback(CHAIN, head=head("v"), to=snap("1"), new_head=layer_id("e")).graph
    graph = layers.rollback(graph, head=head("v"), to=snap("1"), new_head=layer_id("f")).graph
    observed = world(CHAIN) | {layer_id("e"): None, layer_id("f"): None}
    assert steps_of(graph, observed) == (
        CreateChild(layer=layer_id("f"), parent=layer_id("a"), size_bytes=100),
        Delete(layer=layer_id("d")),
    )


def test_a_lost_layer_is_reported_and_never_made_again() -> None:
    graph = layers.resize(CHAIN, head=head("v"), size_bytes=200).graph
    outstanding = layers.remaining(graph, {layer_id("d"): None}, nothing_weighs)
    assert outstanding.steps == ()
    assert [problem.layer for problem in outstanding.problems] == ["d"]
    recorded, _ = layers.record(graph, {layer_id("d"): None})
    assert layer_id("d") in recorded.layers


def test_a_lost_hidden_layer_is_not_taken_for_a_merged_one() -> None:
    graph = layers.drop(CHAIN, name=snap("2")).graph
    observed = world(graph) | {layer_id("b"): None}
    assert [problem.layer for problem in layers.remaining(graph, observed, nothing_weighs).problems] == ["b"]
    assert layer_id("b") in layers.record(graph, observed)[0].layers


def test_what_was_not_looked_at_is_neither_forgotten_nor_touched() -> None:
    graph = layers.drop(layers.drop(CHAIN, name=head("v")).graph, name=snap("2")).graph
    assert steps_of(graph, {}) == ()
    assert layers.record(graph, {})[0].layers == graph.layers


def test_a_layer_is_not_removed_while_in_the_world_something_still_hangs_on_it() -> None:
    graph = layers.flatten(CHAIN, name=head("v")).graph
    for dropped in ("1", "2", "3"):
        graph = layers.drop(graph, name=snap(dropped)).graph
    observed = world(CHAIN)
    assert steps_of(graph, observed) == (Flatten(layer=layer_id("d"), onto=None),)
    observed[layer_id("d")] = info(graph.layer(layer_id("d")))
    graph, _ = layers.record(graph, observed)
    assert steps_of(graph, observed) == tuple(Delete(layer=layer_id(each)) for each in "cba")


def test_a_layer_that_is_to_be_flattened_is_not_merged_at_the_same_time() -> None:
    graph = layers.flatten(layers.drop(CHAIN, name=snap("2")).graph, name=snap("3")).graph
    graph = layers.drop(graph, name=snap("3")).graph
    assert steps_of(graph, world(CHAIN)) == (Flatten(layer=layer_id("c"), onto=None),)


def test_a_driver_that_flattens_down_to_the_root_is_taken_at_its_word() -> None:
    plan = layers.collapse(CHAIN, name=head("v"), limit=3, weigh=nothing_weighs)
    assert plan is not None
    (step,) = plan.steps
    observed = world(plan.graph)
    observed[step.layer] = info(replace(plan.graph.layer(step.layer), parent=None))
    recorded, _ = layers.record(plan.graph, observed)
    assert recorded.layer(step.layer).parent is None
    assert recorded.layer(step.layer).state is State.SETTLED


def test_a_layer_on_a_stranger_is_a_problem() -> None:
    graph = layers.resize(CHAIN, head=head("v"), size_bytes=200).graph
    observed = world(graph)
    observed[layer_id("d")] = info(replace(CHAIN.layer(layer_id("d")), parent=layer_id("zz")))
    assert layers.remaining(graph, observed, nothing_weighs).problems


def test_a_chain_within_its_limit_is_left_alone() -> None:
    assert layers.depth(CHAIN, head("v")) == 4
    assert layers.collapse(CHAIN, name=head("v"), limit=4, weigh=nothing_weighs) is None


def test_a_deep_chain_is_cut_where_it_is_lightest_and_not_at_the_head() -> None:
    parents = {"0": None} | {str(at): str(at - 1) for at in range(1, 10)}
    names = {snap(str(at)): str(at) for at in range(9)} | {head("v"): "9"}
    graph = tree(parents, names)
    weights = {layer_id(str(at)): 1 if at in range(2, 8) else 100 for at in range(10)}
    plan = layers.collapse(graph, name=head("v"), limit=9, weigh=weights.__getitem__)
    assert plan is not None
    assert plan.steps == (Flatten(layer=layer_id("8"), onto=layer_id("1")),)
    assert layers.depth(settled(plan.graph), head("v")) == 4


def test_hidden_layers_that_will_be_merged_do_not_count_towards_the_limit() -> None:
    graph = layers.drop(layers.drop(CHAIN, name=snap("2")).graph, name=snap("3")).graph
    assert layers.depth(graph, head("v")) == 2
