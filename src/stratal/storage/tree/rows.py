"""The rows of the layer graph: how it is stored and loaded. Called by `disks`, the reconciler and the views.

Writers hold the lock of the tree's own row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    literal,
    select,
    tuple_,
    update,
)

from stratal.kernel.columns import JsonColumn
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction
from stratal.storage.drivers.contract import LayerId, Location, Source, Transport
from stratal.storage.layers import Delta, Graph, Layer, Name, NameKind, State

LAYER = Table(
    "layer",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("tree_id", BigInteger, nullable=False),
    Column("parent", Text),
    Column("size_bytes", BigInteger, nullable=False),
    Column("frozen", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("origin", JsonColumn()),
    # the volume that it was made for, so that one can tell what a clone has of its own
    Column("volume_id", BigInteger),
    # as last weighed; null: not since it last changed
    Column("allocated_bytes", BigInteger),
    # why it is not as it shall be, where something failed
    Column("problem", Text),
)
Index("ix_layer_tree_id", LAYER.c.tree_id)

LAYER_NAME = Table(
    "layer_name",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("tree_id", BigInteger, nullable=False),
    Column("layer", Text, nullable=False),
    # what goes away with the name, and what it needs together with others: as last counted
    Column("exclusive_bytes", BigInteger, nullable=False),
    Column("shared_bytes", BigInteger, nullable=False),
)
Index("ix_layer_name_tree_id", LAYER_NAME.c.tree_id)
Index("ix_layer_name_layer", LAYER_NAME.c.layer)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A layer, with what is known of it beside the graph."""

    layer: Layer
    volume_id: int | None
    allocated_bytes: int | None
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A whole tree as it is stored."""

    graph: Graph
    layers: Mapping[LayerId, Placed]
    #: exclusive and shared bytes of each name
    counts: Mapping[Name, tuple[int, int]]

    def weigh(self, layer: LayerId) -> int:
        """The allocated bytes, as last seen: a `Weigh`."""
        placed = self.layers.get(layer)
        return (placed.allocated_bytes or 0) if placed else 0

    def after(self, graph: Graph, delta: Delta) -> "Stored":
        """The tree after `delta` was stored, which made `graph` of it."""
        layers = {id: placed for id, placed in self.layers.items() if id in graph.layers}
        for layer in delta.layers:
            layers[layer.id] = replace(layers[layer.id], layer=layer, allocated_bytes=None)
        return Stored(graph=graph, layers=layers, counts=self.counts)


def name_of(kind: NameKind, id: int) -> Name:
    """The name of a resource in the graph."""
    return Name(kind=kind, id=str(id))


def load(transaction: Transaction, tree_id: int) -> Stored:
    """The whole tree."""
    placed = [_placed(row) for row in transaction.execute(_LAYERS.where(LAYER.c.tree_id == tree_id))]
    names: dict[Name, LayerId] = {}
    counts: dict[Name, tuple[int, int]] = {}
    for row in transaction.execute(select(LAYER_NAME).where(LAYER_NAME.c.tree_id == tree_id)):
        name = name_of(NameKind(row.kind), row.id)
        names[name] = LayerId(row.layer)
        counts[name] = (row.exclusive_bytes, row.shared_bytes)
    return Stored(
        graph=Graph.of((each.layer for each in placed), names),
        layers={each.layer.id: each for each in placed},
        counts=counts,
    )


def around(transaction: Transaction, names: Iterable[Name]) -> Graph:
    """The part of a graph that decisions about these names look at: each name and its own layer.

    So a decision costs the same in a tree of any size.
    """
    found = {name: row for name in names if (row := _name_row(transaction, name)) is not None}
    ids = {row.layer for row in found.values()}
    layers = transaction.execute(_LAYERS.where(LAYER.c.id.in_(ids)))
    return Graph.of(
        (_placed(row).layer for row in layers), {name: LayerId(row.layer) for name, row in found.items()}
    )


def tree_of(transaction: Transaction, name: Name) -> int | None:
    """The tree that a name is in; None where there is no such name."""
    row = _name_row(transaction, name)
    return None if row is None else int(row.tree_id)


def count_of(transaction: Transaction, name: Name) -> tuple[int, int]:
    """The exclusive and the shared bytes of a name, as last counted."""
    row = _name_row(transaction, name)
    return (0, 0) if row is None else (row.exclusive_bytes, row.shared_bytes)


def path(transaction: Transaction, name: Name) -> list[Placed]:
    """The layers that a name needs, from its own down to the root; empty where there is no such name."""
    row = _name_row(transaction, name)
    if row is None:
        return []
    return [_placed(found) for found in transaction.execute(_PATH, {"top": row.layer})]


def store(transaction: Transaction, tree_id: int, delta: Delta, *, volume_id: int | None = None) -> None:
    """Write what a decision or an observation changed. New layers are written down as made for the volume.

    What changed has to be weighed anew, whatever it weighed before.
    """
    if delta.layers:
        insert = transaction.insert(LAYER)
        changed = {name: insert.excluded[name] for name in (*_GRAPH_COLUMNS, "allocated_bytes")}
        transaction.execute(
            insert.on_conflict_do_update(index_elements=[LAYER.c.id], set_=changed),
            [
                {
                    "id": layer.id,
                    "tree_id": tree_id,
                    "volume_id": volume_id,
                    "allocated_bytes": None,
                    "problem": None,
                    **_columns(layer),
                }
                for layer in delta.layers
            ],
        )
    if delta.gone:
        transaction.execute(
            delete(LAYER).where(LAYER.c.id == bindparam("gone")), [{"gone": g} for g in delta.gone]
        )
    if delta.names:
        insert = transaction.insert(LAYER_NAME)
        transaction.execute(
            insert.on_conflict_do_update(
                index_elements=[LAYER_NAME.c.kind, LAYER_NAME.c.id], set_={"layer": insert.excluded.layer}
            ),
            [
                {
                    "kind": name.kind.value,
                    "id": int(name.id),
                    "tree_id": tree_id,
                    "layer": layer,
                    "exclusive_bytes": 0,
                    "shared_bytes": 0,
                }
                for name, layer in delta.names.items()
            ],
        )
    if delta.dropped:
        keys = [(name.kind.value, int(name.id)) for name in delta.dropped]
        transaction.execute(delete(LAYER_NAME).where(_NAME_KEY.in_(keys)))


def unchanged(transaction: Transaction, known: Mapping[LayerId, Placed], layers: Sequence[LayerId]) -> bool:
    """Whether each of these layers is stored just as it is known, as far as the graph goes."""
    stored = {
        row.id: _placed(row).layer for row in transaction.execute(_LAYERS.where(LAYER.c.id.in_(layers)))
    }
    return stored == {id: known[id].layer for id in layers if id in known}


def note_weights(transaction: Transaction, weights: Mapping[LayerId, int]) -> None:
    if weights:
        transaction.execute(
            _NOTE.values(allocated_bytes=bindparam("bytes")),
            [{"layer": layer, "bytes": weight} for layer, weight in weights.items()],
        )


def note_problems(transaction: Transaction, problems: Mapping[LayerId, str | None]) -> None:
    if problems:
        transaction.execute(
            _NOTE.values(problem=bindparam("text")),
            [{"layer": layer, "text": text} for layer, text in problems.items()],
        )


def note_counts(transaction: Transaction, counts: Mapping[Name, tuple[int, int]]) -> None:
    if counts:
        statement = update(LAYER_NAME).where(
            LAYER_NAME.c.kind == bindparam("name_kind"), LAYER_NAME.c.id == bindparam("name_id")
        )
        transaction.execute(
            statement.values(exclusive_bytes=bindparam("exclusive"), shared_bytes=bindparam("shared")),
            [
                {"name_kind": name.kind.value, "name_id": int(name.id), "exclusive": own, "shared": shared}
                for name, (own, shared) in counts.items()
            ],
        )


_GRAPH_COLUMNS = ("parent", "size_bytes", "frozen", "state", "origin")
_NAME_KEY = tuple_(LAYER_NAME.c.kind, LAYER_NAME.c.id)
_LAYERS = select(LAYER)
_NOTE = update(LAYER).where(LAYER.c.id == bindparam("layer"))


def _path() -> Select[Any]:
    top = (
        select(LAYER.c.id, LAYER.c.parent, literal(0, Integer).label("distance"))
        .where(LAYER.c.id == bindparam("top"))
        .cte("path", recursive=True)
    )
    below = select(LAYER.c.id, LAYER.c.parent, top.c.distance + 1).where(LAYER.c.id == top.c.parent)
    walk = top.union_all(below)
    return select(LAYER).join(walk, walk.c.id == LAYER.c.id).order_by(walk.c.distance)


_PATH = _path()


def _name_row(transaction: Transaction, name: Name) -> Any:
    return transaction.execute(
        select(LAYER_NAME).where(LAYER_NAME.c.kind == name.kind.value, LAYER_NAME.c.id == int(name.id))
    ).first()


def _placed(row: Any) -> Placed:
    layer = Layer(
        id=LayerId(row.id),
        parent=None if row.parent is None else LayerId(row.parent),
        size_bytes=row.size_bytes,
        frozen=row.frozen,
        state=State(row.state),
        origin=_origin(row.origin),
    )
    return Placed(
        layer=layer, volume_id=row.volume_id, allocated_bytes=row.allocated_bytes, problem=row.problem
    )


def _columns(layer: Layer) -> dict[str, Any]:
    match layer.origin:
        case None:
            origin = None
        case Source(path=path, format=format):
            origin = {"path": str(path), "format": format}
        case Location(transport=transport, address=address, format=format):
            origin = {"transport": transport.value, "address": address, "format": format}
    return {
        "parent": layer.parent,
        "size_bytes": layer.size_bytes,
        "frozen": layer.frozen,
        "state": layer.state.value,
        "origin": origin,
    }


def _origin(stored: Any) -> Source | Location | None:
    match stored:
        case {"path": path, "format": format}:
            return Source(path=Path(path), format=format)
        case {"transport": transport, "address": address, "format": format}:
            return Location(transport=Transport(transport), address=address, format=format)
        case _:
            return None
