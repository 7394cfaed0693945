"""Keeping chains short, and merging the cheap way: the decisions that weigh bytes.

Called by the volume reconciler in the background, and by `remaining`.
"""

from collections.abc import Callable
from itertools import accumulate

from stratal.storage.drivers.contract import Direction, LayerId
from stratal.storage.layers.decisions import rehang
from stratal.storage.layers.graph import Draft, Graph, Layer, Name, State
from stratal.storage.layers.steps import Plan

Weigh = Callable[[LayerId], int]
"""The allocated bytes of a layer, as last seen. A guess will do: it only decides what is cheaper."""


def depth(graph: Graph, name: Name) -> int:
    """How many layers a read of the name may have to walk through, when all hidden ones are tidied up."""
    return len(_lasting_path(graph, graph.named(name)))


def collapse(graph: Graph, *, name: Name, limit: int, weigh: Weigh) -> Plan | None:
    """Shorten a chain deeper than the limit to about half of it; None where it is not deeper, or too new.

    One layer of the chain is given the data of a run of layers below it, and hangs below that run from then
    on. The run itself stays, for the names in it, so this costs the run's space: the lightest run is taken.
    Half, because to shorten a chain by one layer at each snapshot would move data at each snapshot.
    """
    path = _lasting_path(graph, graph.named(name))
    if len(path) <= limit:
        return None
    target = max(1, limit // 2)
    excess = len(path) - target
    sums = [0, *accumulate(weigh(layer.id) for layer in path)]
    # A frozen layer is preferred to the head, which may be in use; among equals the lowest.
    first = 1 if target > 1 else 0
    made = [at for at in range(first, target) if path[at].state is not State.PLANNED]
    if not made:
        return None
    top = min(made, key=lambda at: (sums[at + 1 + excess] - sums[at + 1], -at))
    below = top + 1 + excess
    onto = path[below].id if below < len(path) else None
    return rehang(Draft(graph), path[top], onto)


def cheaper_direction(graph: Graph, parent: LayerId, into: LayerId, weigh: Weigh) -> Direction:
    """Which way to merge a hidden layer with its only child.

    Down is always safe: nobody but the child reads the parent. Up changes the child's storage; where
    others may be reading that, it has to be copied aside and exchanged, which costs its own weight too.
    """
    down = weigh(into)
    read_by_others = graph.layer(into).frozen or bool(graph.children(into))
    up = weigh(parent) + (weigh(into) if read_by_others else 0)
    return Direction.UP if up < down else Direction.DOWN


def _lasting_path(graph: Graph, layer: Layer) -> list[Layer]:
    """The layer and those below it without the hidden ones that are going to be merged anyway."""
    lasting = [layer]
    for below in graph.ancestors(layer.id):
        if below.id not in graph.hidden or len(graph.children(below.id)) > 1:
            lasting.append(below)
    return lasting
