"""Which chains have grown too deep, and what to do about one of them. Called by the reconciler at rest."""

from stratal.storage.drivers.contract import LayerDriver, LayerId
from stratal.storage.drivers.errors import LayerNotFound
from stratal.storage.layers import Graph, Name, NameKind, Plan, collapse
from stratal.storage.tree import rows


def too_deep(stored: rows.Stored, driver: LayerDriver, *, limit: int) -> Plan | None:
    """What shortens the deepest chain of the tree, if that is deeper than the limit; one at a time."""
    if not driver.traits.merging_moves_data:
        # There layers lie together in one object of the store: a chain is as deep as its objects, and
        # only a head's is known without asking for each.
        deep = [name for name in _heads(stored.graph) if _hops(driver, stored.graph.names[name]) > limit]
    else:
        depths = _depths(stored.graph)
        deep = [name for name, layer in stored.graph.names.items() if depths[layer] > limit]
        deep.sort(key=lambda name: depths[stored.graph.names[name]], reverse=True)
    for name in deep:
        plan = collapse(stored.graph, name=name, limit=limit, weigh=stored.weigh)
        if plan is not None:
            return plan
    return None


def _depths(graph: Graph) -> dict[LayerId, int]:
    """The layers that a read of each layer goes through, without the hidden ones that will be merged."""
    depths: dict[LayerId, int] = {}
    waiting = [(layer.id, 0) for layer in graph.layers.values() if layer.parent is None]
    while waiting:
        layer, below = waiting.pop()
        merging = layer in graph.hidden and len(graph.children(layer)) <= 1
        depths[layer] = below if merging else below + 1
        waiting.extend((child, depths[layer]) for child in graph.children(layer))
    return depths


def _heads(graph: Graph) -> list[Name]:
    return [name for name in graph.names if name.kind is NameKind.HEAD]


def _hops(driver: LayerDriver, layer: LayerId) -> int:
    try:
        return driver.hops(layer)
    except LayerNotFound:  # it is yet to be made
        return 0
