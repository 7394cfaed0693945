"""Decisions over a large tree stay fast. The bound of the house is 10 ms; measured is the best of several."""

import random
import time
from collections.abc import Callable

import pytest
from layer_planning import head, layer_id, nothing_weighs, snap, tree, world

from stratal.storage import layers
from stratal.storage.layers import Graph, Name

LAYERS = 10_000
BOUND_SECONDS = 0.010


def _bushy() -> Graph:
    chance = random.Random(1)
    parents = {"0": None} | {str(at): str(chance.randrange(at)) for at in range(1, LAYERS)}
    inner = set(parents.values())
    return tree(parents, {(snap if each in inner else head)(each): each for each in parents})


def _chain() -> Graph:
    parents = {"0": None} | {str(at): str(at - 1) for at in range(1, LAYERS)}
    return tree(parents, {(head if at == LAYERS - 1 else snap)(str(at)): str(at) for at in range(LAYERS)})


def _fan() -> Graph:
    parents = {"0": None} | {str(at): "0" for at in range(1, LAYERS)}
    return tree(parents, {(head if at else snap)(str(at)): str(at) for at in range(LAYERS)})


@pytest.fixture(scope="module", params=[_bushy, _chain, _fan], ids=["bushy", "chain", "fan"])
def graph(request: pytest.FixtureRequest) -> Graph:
    return request.param()


@pytest.fixture
def volume(graph: Graph) -> Name:
    return head(str(LAYERS - 1))


def best(action: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def test_a_decision_over_ten_thousand_layers_is_fast(graph: Graph, volume: Name) -> None:
    new = layer_id("new")
    decisions: dict[str, Callable[[], object]] = {
        "snapshot": lambda: layers.snapshot(graph, head=volume, name=snap("new"), new_head=new),
        "clone": lambda: layers.clone(graph, source=snap("0"), name=head("new"), layer=new),
        "rollback": lambda: layers.rollback(graph, head=volume, to=snap("0"), new_head=new),
        "drop": lambda: layers.drop(graph, name=volume),
        "flatten": lambda: layers.flatten(graph, name=volume),
        "resize": lambda: layers.resize(graph, head=volume, size_bytes=200),
        "collapse": lambda: layers.collapse(graph, name=volume, limit=16, weigh=nothing_weighs),
    }
    seconds = {name: best(decide) for name, decide in decisions.items()}
    assert {name: taken for name, taken in seconds.items() if taken > BOUND_SECONDS} == {}


def test_what_remains_of_ten_thousand_layers_is_computed_fast(graph: Graph, volume: Name) -> None:
    changed = layers.rollback(graph, head=volume, to=snap("0"), new_head=layer_id("new")).graph
    observed = world(graph) | {layer_id("new"): None}
    assert len(layers.remaining(changed, observed, nothing_weighs).steps) == 2
    mattering = {layer: observed[layer] for layer in layers.attention(changed)}
    assert best(lambda: layers.remaining(changed, mattering, nothing_weighs)) < BOUND_SECONDS
    assert best(lambda: layers.record(changed, mattering)) < BOUND_SECONDS
