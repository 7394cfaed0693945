"""What is left to do, from what shall be and what is. Pure, and the heart of crash safety: after any crash
the reconciler observes and asks here, and never needs to know how far it had come.

Called by the reconcilers of volumes, snapshots, images and cuts.
"""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace

from stratal.storage.drivers.contract import LayerId, LayerInfo
from stratal.storage.layers.collapse import Weigh, cheaper_direction
from stratal.storage.layers.decisions import create_step
from stratal.storage.layers.graph import Delta, Draft, Graph, Layer, State
from stratal.storage.layers.steps import Absorb, Delete, Flatten, Freeze, Resize, Step

Observed = Mapping[LayerId, LayerInfo | None]
"""Layers as they were looked at, None for those that are not there. Should have all of `attention`; about
what was not looked at nothing is assumed, and nothing done."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A layer that no step can make right."""

    layer: LayerId
    reason: str


@dataclass(frozen=True, kw_only=True)
class Outstanding:
    """What remains. The steps can be done in this order now; more may follow once they are recorded."""

    steps: tuple[Step, ...]
    problems: tuple[Problem, ...]


def attention(graph: Graph) -> frozenset[LayerId]:
    """The layers to look at in the world: all others are known to be as they shall.

    A hidden layer that several need is one of those, until at most one does.
    """
    dead = _dead(graph)
    tidying = {hidden for hidden in graph.hidden if hidden in dead or len(graph.children(hidden)) <= 1}
    merging = {only for hidden in tidying if (only := _only(graph.children(hidden))) is not None}
    return graph.unsettled | tidying | merging


def astray(graph: Graph, observed: Observed) -> bool:
    """Whether a layer hangs on another than it shall, which this part of a graph cannot account for."""
    return any(
        info is not None
        and info.parent is not None
        and (layer := graph.layer(info.layer)).parent is not None
        and info.parent != layer.parent
        and not _passed_by(graph, layer, info.parent)
        for info in observed.values()
    )


def remaining(graph: Graph, observed: Observed, weigh: Weigh) -> Outstanding:
    """The next steps towards the graph. None and no problems: the world is as it shall be.

    First what names need is made, so that a snapshot or a rollback never waits for tidying up; then dead
    layers go, then each run of hidden layers is merged by one.
    """
    world = _World(graph, observed)
    problems = _lost(world)
    lost = {problem.layer for problem in problems}
    steps: list[Step] = []
    for layer in _parents_first(graph, graph.unsettled - world.dead - lost):
        if layer.id in observed:
            _make(world, layer, steps, problems)
    busy = {step.layer for step in steps if not isinstance(step, Absorb)}
    steps.extend(_removals(world))
    steps.extend(_merges(world, busy, weigh))
    return Outstanding(steps=tuple(steps), problems=tuple(problems))


def record(graph: Graph, observed: Observed) -> tuple[Graph, Delta]:
    """The graph with what was seen to be done: layers settled, merged or removed. The delta may be empty."""
    draft = Draft(graph)
    for layer_id in attention(graph):
        info = observed.get(layer_id)
        if info is None:
            continue
        layer = draft.layers[layer_id]
        if info.parent != layer.parent and _passed_by(graph, layer, info.parent):
            # Merged with what lay between, or flattened by a driver that goes on to the root.
            layer = replace(layer, parent=info.parent)
        agrees = (info.parent, info.size_bytes, info.frozen) == (
            layer.parent,
            layer.size_bytes,
            layer.frozen,
        )
        state = State.SETTLED if agrees else State.CHANGED
        layer = replace(layer, state=state, origin=None)
        if layer != draft.layers[layer_id]:
            draft.put(layer)
    gone = {each for each in graph.hidden if each in observed and observed[each] is None}
    leaves = [each for each in gone if not draft.children(each)]
    while leaves:
        leaf = draft.layers[leaves.pop()]
        draft.remove(leaf.id)
        below = leaf.parent
        if below is not None and below in gone and not draft.children(below):
            leaves.append(below)
    return draft.seal()


class _World:
    """What is there, seen together with what is known from before."""

    def __init__(self, graph: Graph, observed: Observed) -> None:
        self.graph = graph
        self.observed = observed
        self.dead = _dead(graph)
        self._moved: dict[LayerId, set[LayerId]] = {}
        for info in observed.values():
            if info is None or info.parent is None or info.layer not in graph.layers:
                continue
            if info.parent != graph.layer(info.layer).parent:
                self._moved.setdefault(info.parent, set()).add(info.layer)

    def children(self, layer: LayerId) -> Set[LayerId]:
        """What hangs on the layer in the world, or is going to."""
        return self.graph.children(layer) | self._moved.get(layer, set())

    def stands_on(self, layer: LayerId, ancestor: LayerId | None) -> bool:
        """Whether the layer lies, as it is now, somewhere above the ancestor."""
        if ancestor is None:
            return True
        at: LayerId | None = layer
        while at is not None and at != ancestor:
            info = self.observed.get(at)
            at = info.parent if info else self.graph.layer(at).parent if at in self.graph.layers else None
        return at == ancestor


def _make(world: _World, layer: Layer, steps: list[Step], problems: list[Problem]) -> None:
    info = world.observed[layer.id]
    if info is None:
        steps.append(create_step(layer))
        if layer.frozen:
            steps.append(Freeze(layer=layer.id))
        return
    if info.parent != layer.parent and not _passed_by(world.graph, layer, info.parent):
        if info.parent is None or not world.stands_on(info.parent, layer.parent):
            problems.append(Problem(layer=layer.id, reason=f"it hangs on {info.parent}"))
            return
        steps.append(Flatten(layer=layer.id, onto=layer.parent))
    if info.size_bytes > layer.size_bytes:
        problems.append(Problem(layer=layer.id, reason=f"it has {info.size_bytes} bytes"))
    elif info.frozen and (info.size_bytes != layer.size_bytes or not layer.frozen):
        problems.append(Problem(layer=layer.id, reason="it is frozen and should not be"))
    else:
        if info.size_bytes < layer.size_bytes:
            steps.append(Resize(layer=layer.id, size_bytes=layer.size_bytes))
        if layer.frozen and not info.frozen:
            steps.append(Freeze(layer=layer.id))


def _lost(world: _World) -> list[Problem]:
    """Layers that were there once and are gone, though something needs them. Their content is not guessed."""
    problems: list[Problem] = []
    for layer_id, info in world.observed.items():
        layer = world.graph.layers.get(layer_id)
        if info is not None or layer is None or layer.state is State.PLANNED or layer_id in world.dead:
            continue
        if layer_id in world.graph.hidden and all(
            (child := world.observed.get(each)) is not None and child.parent != layer_id
            for each in world.graph.children(layer_id)
        ):
            continue  # merged, and yet to be recorded
        problems.append(Problem(layer=layer_id, reason="it was there once and is gone"))
    return problems


def _removals(world: _World) -> list[Step]:
    """Dead layers from the leaves down, as long as nothing alive still hangs on them in the world."""
    steps: list[Step] = []
    gone: set[LayerId] = set()
    for layer in reversed(_parents_first(world.graph, world.dead)):
        if layer.id in world.observed and world.children(layer.id) <= gone:
            gone.add(layer.id)
            if world.observed[layer.id] is not None:
                steps.append(Delete(layer=layer.id))
    return steps


def _merges(world: _World, busy: set[LayerId], weigh: Weigh) -> list[Step]:
    """One merge in each run of hidden layers: the lightest, since merging a layer twice moves it twice."""
    graph = world.graph
    pairs: list[tuple[int, LayerId, LayerId]] = []
    for parent in graph.hidden - world.dead:
        into = _only(world.children(parent))
        if into is None or into in busy or parent in busy:
            continue
        below, above = world.observed.get(parent), world.observed.get(into)
        if below is not None and above is not None and above.parent == parent and below.frozen:
            pairs.append((min(weigh(parent), weigh(into)), parent, into))
    merges: list[Step] = []
    taken: set[LayerId] = set()
    for _, parent, into in sorted(pairs):
        if parent not in taken and into not in taken:
            direction = cheaper_direction(graph, parent, into, weigh)
            merges.append(Absorb(parent=parent, into=into, direction=direction))
            taken |= {parent, into}
    return merges


def _dead(graph: Graph) -> set[LayerId]:
    """Layers that no name needs, themselves or for what hangs on them."""
    dead: set[LayerId] = set()
    alive_children: dict[LayerId, int] = {}
    waiting = [each for each in graph.hidden if not graph.children(each)]
    while waiting:
        layer = waiting.pop()
        dead.add(layer)
        parent = graph.layer(layer).parent
        if parent is not None and parent in graph.hidden:
            left = alive_children.get(parent, len(graph.children(parent))) - 1
            alive_children[parent] = left
            if not left:
                waiting.append(parent)
    return dead


def _parents_first(graph: Graph, layers: Iterable[LayerId]) -> list[Layer]:
    """These layers, each after those of them that lie below it."""
    wanted = set(layers)
    ordered: dict[LayerId, None] = {}
    for layer in sorted(wanted):
        run: list[LayerId] = []
        at: LayerId | None = layer
        while at is not None and at in wanted and at not in ordered:
            run.append(at)
            at = graph.layer(at).parent
        ordered.update(dict.fromkeys(reversed(run)))
    return [graph.layer(each) for each in ordered]


def _passed_by(graph: Graph, layer: Layer, actual: LayerId | None) -> bool:
    """Whether the layer hangs, in the world, on an ancestor of what it is meant to hang on, or on nothing."""
    if layer.parent is None:
        return False
    return actual is None or any(below.id == actual for below in graph.ancestors(layer.parent))


def _only(layers: Set[LayerId]) -> LayerId | None:
    return next(iter(layers)) if len(layers) == 1 else None
