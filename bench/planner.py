"""How long a decision over a tree of 10,000 layers takes: the planner alone, in this process.

The baseline is copying the dict of the tree's layers once, the least that a planner which looks at every
layer would have to do.
"""

import random
import statistics
import time
from collections.abc import Callable
from functools import partial

from bench.options import Options, Outcome
from bench.results import Row, under
from stratal.storage import layers
from stratal.storage.drivers.contract import LayerId, LayerInfo
from stratal.storage.layers import Graph, Layer, Name, NameKind, State

SUMMARY = "the storage planner: decisions over trees of 10,000 layers"

_LAYERS = 10_000
_MOST_MILLISECONDS = 10.0
_REPEATS = 5
_NEW = LayerId("new")


def run(options: Options) -> Outcome:
    rows: list[Row] = []
    for shape, parents in (("bushy", _bushy()), ("chain", _chain()), ("fan", _fan())):
        graph = _graph(parents)
        options.progress(f"a {shape} tree")
        baseline = _milliseconds(options, partial(dict, graph.layers))
        rows.append(Row(name="copy of the dict of layers", subject=shape, measured=baseline, unit="ms"))
        for name, decide in _decisions(graph).items():
            taken = _milliseconds(options, decide)
            rows.append(
                Row(
                    name=name,
                    subject=shape,
                    measured=taken,
                    unit="ms",
                    target=under(_MOST_MILLISECONDS),
                    ratio=taken / baseline,
                )
            )
    return Outcome(rows=rows, remarks=["The ratio is to the copy. Each figure is the median of its rounds."])


def _decisions(graph: Graph) -> dict[str, Callable[[], object]]:
    volume, snapshot = _head(_LAYERS - 1), _snapshot(0)
    rolled_back = layers.rollback(graph, head=volume, to=snapshot, new_head=_NEW).graph
    observed = _observed(rolled_back)
    return {
        "snapshot": lambda: layers.snapshot(graph, head=volume, name=_snapshot(_LAYERS), new_head=_NEW),
        "clone": lambda: layers.clone(graph, source=snapshot, name=_head(_LAYERS), layer=_NEW),
        "rollback": lambda: layers.rollback(graph, head=volume, to=snapshot, new_head=_NEW),
        "drop": lambda: layers.drop(graph, name=volume),
        "flatten": lambda: layers.flatten(graph, name=volume),
        "resize": lambda: layers.resize(graph, head=volume, size_bytes=200),
        "collapse": lambda: layers.collapse(graph, name=volume, limit=16, weigh=_weightless),
        "what remains after a rollback": lambda: layers.remaining(rolled_back, observed, _weightless),
        "record": lambda: layers.record(rolled_back, observed),
    }


def _milliseconds(options: Options, action: Callable[[], object]) -> float:
    """The median over the rounds of the best of a few repeats: what it takes when nothing interferes."""
    rounds: list[float] = []
    for _ in range(options.rounds):
        times: list[float] = []
        for _ in range(_REPEATS):
            started = time.perf_counter()
            action()
            times.append(time.perf_counter() - started)
        rounds.append(min(times) * 1000)
    return statistics.median(rounds)


def _weightless(_layer: LayerId) -> int:
    return 0


def _observed(graph: Graph) -> dict[LayerId, LayerInfo | None]:
    """What would be seen of the layers that matter, if the rollback has not been carried out yet."""
    return {layer: _info(graph.layer(layer)) if layer != _NEW else None for layer in layers.attention(graph)}


def _info(layer: Layer) -> LayerInfo:
    return LayerInfo(layer=layer.id, parent=layer.parent, frozen=layer.frozen, size_bytes=layer.size_bytes)


# -- trees ------------------------------------------------------------------------------------------------


def _bushy() -> dict[int, int | None]:
    chance = random.Random(1)
    return {0: None} | {at: chance.randrange(at) for at in range(1, _LAYERS)}


def _chain() -> dict[int, int | None]:
    return {0: None} | {at: at - 1 for at in range(1, _LAYERS)}


def _fan() -> dict[int, int | None]:
    return {0: None} | dict.fromkeys(range(1, _LAYERS), 0)


def _graph(parents: dict[int, int | None]) -> Graph:
    """A settled tree in which every inner layer is a snapshot and every leaf the head of a volume."""
    inner = set(parents.values())
    return Graph.of(
        (
            Layer(
                id=_layer(at),
                parent=None if parent is None else _layer(parent),
                size_bytes=100,
                frozen=at in inner,
                state=State.SETTLED,
            )
            for at, parent in parents.items()
        ),
        {(_snapshot if at in inner else _head)(at): _layer(at) for at in parents},
    )


def _layer(number: int) -> LayerId:
    return LayerId(str(number))


def _head(number: int) -> Name:
    return Name(kind=NameKind.HEAD, id=str(number))


def _snapshot(number: int) -> Name:
    return Name(kind=NameKind.SNAPSHOT, id=str(number))
