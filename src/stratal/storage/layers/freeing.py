"""What a snapshot in the middle of a chain holds for itself alone, and so gives back when it is deleted.

Its layer is needed by those above as well; but they do not see what the layer on top has written over. When
the snapshot goes, the two are merged, and just that comes free. With several layers on top there is no merge,
and nothing comes free until only one of them is left.
"""

from collections.abc import Iterator

from stratal.storage.drivers.contract import LayerId
from stratal.storage.layers.graph import Graph, State


def covers(graph: Graph) -> Iterator[tuple[LayerId, LayerId]]:
    """Each layer with names that exactly one other hangs on, and that other one, as far as both are made."""
    for layer in dict.fromkeys(graph.names.values()):
        if len(children := graph.children(layer)) == 1:
            [child] = children
            if State.PLANNED not in (graph.layer(layer).state, graph.layer(child).state):
                yield layer, child
