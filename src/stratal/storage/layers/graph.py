"""The graph of layers as it is meant to be, with the indexes that make decisions cheap. Called by all here.

A `Graph` never changes; a decision takes a `Draft` of it, edits that and seals it. Taking a draft copies the
indexes (about 0.5 ms for 10,000 layers), each edit touches only what it names. A caller may hold the graph
of one tree, or of many: decisions look only at the layers around the names they are given.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum

from stratal.kernel.errors import NotFound
from stratal.storage.drivers.contract import LayerId, Location, Source


class NameKind(StrEnum):
    """What can need a layer."""

    #: a volume, needing its writable head
    HEAD = "head"
    SNAPSHOT = "snapshot"
    IMAGE = "image"
    #: one moment of a backup
    CUT = "cut"


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """A resource that needs a layer."""

    kind: NameKind
    id: str


class State(StrEnum):
    """What is known of a layer's existence."""

    #: to be made, and perhaps made already
    PLANNED = "planned"
    #: made; since then it was decided to be otherwise
    CHANGED = "changed"
    #: seen in the world just as it is here. Should it be missing one day, its content is lost: a layer is
    #: never made a second time
    SETTLED = "settled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One layer as it is meant to be."""

    id: LayerId
    parent: LayerId | None
    size_bytes: int
    frozen: bool = False
    state: State = State.PLANNED
    #: for a root yet to be made: an image to copy, or one to take over in place
    origin: Source | Location | None = None


@dataclass(frozen=True, kw_only=True)
class Delta:
    """How one graph differs from the one before: what a caller stores, in one transaction."""

    #: layers that are new or changed
    layers: tuple[Layer, ...] = ()
    #: layers that are no more
    gone: tuple[LayerId, ...] = ()
    #: names that are new or name another layer
    names: Mapping[Name, LayerId] = field(default_factory=dict[Name, LayerId])
    #: names that are no more
    dropped: tuple[Name, ...] = ()


_NO_LAYERS: frozenset[LayerId] = frozenset()
_NO_NAMES: frozenset[Name] = frozenset()


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """Layers and names. Built by `Graph.of` and by `Draft.seal`, which keep the indexes right."""

    layers: Mapping[LayerId, Layer]
    names: Mapping[Name, LayerId]
    #: layers without a name: to be merged or removed as soon as at most one layer hangs on them
    hidden: frozenset[LayerId]
    #: layers not in state SETTLED
    unsettled: frozenset[LayerId]
    _children: Mapping[LayerId, Set[LayerId]]
    _names_of: Mapping[LayerId, Set[Name]]

    @classmethod
    def of(cls, layers: Iterable[Layer] = (), names: Mapping[Name, LayerId] | None = None) -> "Graph":
        """The graph of what a caller stored."""
        draft = Draft(_EMPTY)
        for layer in layers:
            draft.put(layer)
        for name, layer_id in (names or {}).items():
            draft.bind(name, layer_id)
        return draft.seal()[0]

    def layer(self, layer: LayerId) -> Layer:
        return self.layers[layer]

    def named(self, name: Name) -> Layer:
        """The layer a name needs. Raises NotFound."""
        layer = self.names.get(name)
        if layer is None:
            raise NotFound(kind=name.kind, id=name.id)
        return self.layers[layer]

    def children(self, layer: LayerId) -> Set[LayerId]:
        return self._children.get(layer, _NO_LAYERS)

    def names_of(self, layer: LayerId) -> Set[Name]:
        return self._names_of.get(layer, _NO_NAMES)

    def ancestors(self, layer: LayerId) -> Iterator[Layer]:
        """From the parent down to the root, or to where this part of a graph ends."""
        at = self.layers[layer].parent
        while at is not None and (found := self.layers.get(at)) is not None:
            yield found
            at = found.parent

    def descendants(self, layer: LayerId) -> Iterator[Layer]:
        """All layers above, each after the one it hangs on."""
        waiting = list(self.children(layer))
        while waiting:
            at = waiting.pop()
            yield self.layers[at]
            waiting.extend(self.children(at))


_EMPTY = Graph(layers={}, names={}, hidden=_NO_LAYERS, unsettled=_NO_LAYERS, _children={}, _names_of={})


class Draft:
    """A graph being edited. Used within one function, then sealed."""

    def __init__(self, graph: Graph) -> None:
        self.layers = dict(graph.layers)
        self.names = dict(graph.names)
        self._children = dict(graph._children)  # pyright: ignore[reportPrivateUsage]
        self._names_of = dict(graph._names_of)  # pyright: ignore[reportPrivateUsage]
        self._hidden = set(graph.hidden)
        self._unsettled = set(graph.unsettled)
        #: parents whose set of children is this draft's own already, and so may be edited in place
        self._own: dict[LayerId, set[LayerId]] = {}
        self._touched: dict[LayerId, None] = {}
        self._renamed: dict[Name, None] = {}

    def put(self, layer: Layer) -> None:
        """Add a layer, or replace the one of the same id."""
        before = self.layers.get(layer.id)
        if before is None:
            self._hidden.add(layer.id)
        if before is None or before.parent != layer.parent:
            if before is not None and before.parent is not None:
                self._unhang(layer.id, before.parent)
            if layer.parent is not None:
                self._siblings(layer.parent).add(layer.id)
        self.layers[layer.id] = layer
        if layer.state is State.SETTLED:
            self._unsettled.discard(layer.id)
        else:
            self._unsettled.add(layer.id)
        self._touched[layer.id] = None

    def remove(self, layer: LayerId) -> None:
        """Forget a layer that has neither names nor children."""
        gone = self.layers.pop(layer)
        if gone.parent is not None:
            self._unhang(layer, gone.parent)
        self._hidden.discard(layer)
        self._unsettled.discard(layer)
        self._touched[layer] = None

    def bind(self, name: Name, layer: LayerId) -> None:
        """Let the name need this layer, and no longer the one it needed."""
        self.unbind(name)
        self.names[name] = layer
        self._names_of[layer] = self._names_of.get(layer, _NO_NAMES) | {name}
        self._hidden.discard(layer)
        self._renamed[name] = None

    def unbind(self, name: Name) -> None:
        layer = self.names.pop(name, None)
        if layer is None:
            return
        left = self._names_of[layer] - {name}
        if left:
            self._names_of[layer] = left
        else:
            del self._names_of[layer]
            self._hidden.add(layer)
        self._renamed[name] = None

    def children(self, layer: LayerId) -> Set[LayerId]:
        return self._children.get(layer, _NO_LAYERS)

    def seal(self) -> tuple[Graph, Delta]:
        graph = Graph(
            layers=self.layers,
            names=self.names,
            hidden=frozenset(self._hidden),
            unsettled=frozenset(self._unsettled),
            _children=self._children,
            _names_of=self._names_of,
        )
        delta = Delta(
            layers=tuple(self.layers[each] for each in self._touched if each in self.layers),
            gone=tuple(each for each in self._touched if each not in self.layers),
            names={each: self.names[each] for each in self._renamed if each in self.names},
            dropped=tuple(each for each in self._renamed if each not in self.names),
        )
        return graph, delta

    def _unhang(self, layer: LayerId, parent: LayerId) -> None:
        siblings = self._siblings(parent)
        siblings.discard(layer)
        if not siblings:
            del self._children[parent], self._own[parent]

    def _siblings(self, parent: LayerId) -> set[LayerId]:
        """Copied once for each draft: a golden image may have thousands of children."""
        if parent not in self._own:
            self._children[parent] = self._own[parent] = set(self._children.get(parent, _NO_LAYERS))
        return self._own[parent]
