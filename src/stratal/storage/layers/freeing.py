"""What deleting something would give back: the number users ask for before they delete a snapshot.

Called by the services that show a snapshot's exclusive size. `accounting` counts whole layers, so that a
snapshot in the middle of a chain has nothing of its own there; but its layer is merged when it goes, and
then frees what the layer above had written over. That takes the extents of two layers, and is exact.
"""

from collections.abc import Callable, Iterable

from stratal.storage.drivers.contract import Extent, LayerId
from stratal.storage.layers.collapse import Weigh
from stratal.storage.layers.graph import Graph, Name

ExtentsOf = Callable[[LayerId], Iterable[Extent]]
"""A layer's own extents, those above its parent, in order."""


def freed_by_dropping(graph: Graph, *, name: Name, weigh: Weigh, extents_of: ExtentsOf) -> int:
    """The bytes that come free, in the end, when this name alone is dropped from a graph that is tidy."""
    layer = graph.named(name)
    if len(graph.names_of(layer.id)) > 1:
        return 0
    children = graph.children(layer.id)
    if children:
        return _overwritten(layer.id, children, extents_of)
    freed = weigh(layer.id)
    left = layer.id
    for below in graph.ancestors(layer.id):
        if below.id not in graph.hidden:
            break
        others = graph.children(below.id) - {left}
        if others:
            return freed + _overwritten(below.id, others, extents_of)
        freed += weigh(below.id)
        left = below.id
    return freed


def _overwritten(layer: LayerId, children: Iterable[LayerId], extents_of: ExtentsOf) -> int:
    """What of a layer is hidden from its only child. With several children it stays, all of it."""
    only, *more = children
    if more:
        return 0
    covering = list(extents_of(only))
    total = at = 0
    for extent in extents_of(layer):
        if extent.zero:
            continue
        end = extent.offset + extent.length
        while at < len(covering) and covering[at].offset + covering[at].length <= extent.offset:
            at += 1
        ahead = at
        while ahead < len(covering) and covering[ahead].offset < end:
            over = covering[ahead]
            total += min(end, over.offset + over.length) - max(extent.offset, over.offset)
            ahead += 1
    return total
