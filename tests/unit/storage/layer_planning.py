"""Short ways to build graphs, and a world that does exactly what it is told, for the planner's unit tests."""

from dataclasses import replace

from stratal.storage.drivers.contract import LayerId, LayerInfo
from stratal.storage.layers import Graph, Layer, Name, NameKind, State


def head(id: str) -> Name:
    return Name(kind=NameKind.HEAD, id=id)


def snap(id: str) -> Name:
    return Name(kind=NameKind.SNAPSHOT, id=id)


def layer_id(id: str) -> LayerId:
    return LayerId(id)


def settled(graph: Graph) -> Graph:
    """The graph after everything it asks for was made and seen."""
    layers = (replace(layer, state=State.SETTLED) for layer in graph.layers.values())
    return Graph.of(layers, graph.names)


def tree(parents: dict[str, str | None], names: dict[Name, str], size_bytes: int = 100) -> Graph:
    """A settled graph; a layer is frozen unless a head names it."""
    heads = {layer for name, layer in names.items() if name.kind is NameKind.HEAD}
    layers = [
        Layer(
            id=LayerId(id),
            parent=None if parent is None else LayerId(parent),
            size_bytes=size_bytes,
            frozen=id not in heads,
            state=State.SETTLED,
        )
        for id, parent in parents.items()
    ]
    return Graph.of(layers, {name: LayerId(layer) for name, layer in names.items()})


def world(graph: Graph) -> dict[LayerId, LayerInfo | None]:
    """What would be seen if the world were as this graph."""
    return {layer.id: info(layer) for layer in graph.layers.values()}


def info(layer: Layer) -> LayerInfo:
    return LayerInfo(
        layer=layer.id,
        parent=layer.parent,
        frozen=layer.frozen,
        size_bytes=layer.size_bytes,
    )


def nothing_weighs(layer: LayerId) -> int:
    return 0
