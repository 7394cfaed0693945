"""The rows of the layer graph: how it is stored and loaded. Called by `disks`, the reconciler and the views.

Writers hold the lock of the tree's own row.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from stratal.kernel.columns import JsonColumn
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction
from stratal.storage.drivers.contract import LayerId, Location, Source, Transport
from stratal.storage.layers import Delta, Graph, Layer, Name, NameKind, State, covers
from stratal.storage.tree import gone

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
    # what of it a layer on top has written over, and which one that was when it was measured
    Column("covered_bytes", BigInteger),
    Column("covered_by", Text),
    # why it is not as it shall be, where something failed
    Column("problem", Text),
    # whether there may be something to do about it: it is not settled, has no name or has a problem
    Column("loose", Boolean, nullable=False),
)
Index("ix_layer_tree_id", LAYER.c.tree_id, LAYER.c.loose)
Index("ix_layer_parent", LAYER.c.parent, LAYER.c.loose, LAYER.c.id)

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
    #: what of it another layer has written over, as last measured; None: not since one of the two changed
    covered: tuple[LayerId, int] | None
    problem: str | None


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A tree as it is stored, or the part of it that something may have to be done about."""

    #: whether it is all of the tree
    whole: bool
    graph: Graph
    layers: Mapping[LayerId, Placed]
    #: exclusive and shared bytes of each name
    counts: Mapping[Name, tuple[int, int]]

    def weigh(self, layer: LayerId) -> int:
        """The allocated bytes, as last seen: a `Weigh`."""
        placed = self.layers.get(layer)
        return (placed.allocated_bytes or 0) if placed else 0

    @property
    def covered(self) -> Mapping[LayerId, int]:
        """What of layers their only child has written over, as far as it is known."""
        known = ((layer, child, self.layers[layer].covered) for layer, child in covers(self.graph))
        return {layer: found[1] for layer, child, found in known if found is not None and found[0] == child}

    def after(self, graph: Graph, delta: Delta) -> "Stored":
        """The tree after `delta` was stored, which made `graph` of it."""
        layers = {id: placed for id, placed in self.layers.items() if id in graph.layers}
        for layer in delta.layers:
            layers[layer.id] = replace(layers[layer.id], layer=layer, allocated_bytes=None, covered=None)
        return replace(self, graph=graph, layers=layers)


def name_of(kind: NameKind, id: int) -> Name:
    """The name of a resource in the graph."""
    return Name(kind=kind, id=str(id))


def load(transaction: Transaction, tree_id: int) -> Stored:
    """The whole tree."""
    layers = transaction.execute(_LAYERS.where(LAYER.c.tree_id == tree_id))
    names = transaction.execute(_NAMES.where(LAYER_NAME.c.tree_id == tree_id))
    return _stored(layers, names, whole=True)


def load_loose(transaction: Transaction, tree_id: int) -> Stored:
    """Of a tree the layers that something may have to be done about, with their surroundings.

    These are the parents, all loose children, and of other children as many as tell whether there are none,
    one or more. So `attention`, `record` and `remaining` say of it what they say of the whole, as long as
    each layer hangs on one that is here; and a look costs the same in a tree of any size.
    """
    loose = transaction.execute(_LOOSE, {"tree": tree_id}).all()
    around = {id for row in loose for id in (row.parent, row.first_child, row.last_child) if id is not None}
    around.difference_update(row.id for row in loose)
    rows = [*loose, *(transaction.execute(_LAYERS.where(LAYER.c.id.in_(around))) if around else ())]
    names = _NAMES.where(LAYER_NAME.c.layer.in_([row.id for row in rows]))
    return _stored(rows, transaction.execute(names) if rows else (), whole=False)


def is_empty(transaction: Transaction, tree_id: int) -> bool:
    """Whether a tree has neither layers nor names."""
    return not any(
        transaction.execute(select(table.c.id).where(table.c.tree_id == tree_id).limit(1)).first()
        for table in (LAYER, LAYER_NAME)
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


def telling_path(transaction: Transaction, name: Name, *, volume_id: int) -> list[Placed]:
    """Of a path what tells whether something is wrong with it, and whether all was made for the volume: just
    its top, unless some layer of the tree has a problem or was made for another."""
    row = _name_row(transaction, name)
    if row is None:
        return []
    others = select(LAYER.c.id).where(
        LAYER.c.tree_id == row.tree_id,
        or_(LAYER.c.problem.is_not(None), LAYER.c.volume_id.is_distinct_from(volume_id)),
    )
    if transaction.execute(others.limit(1)).first() is not None:
        return [_placed(found) for found in transaction.execute(_PATH, {"top": row.layer})]
    return [_placed(found) for found in transaction.execute(_LAYERS.where(LAYER.c.id == row.layer))]


def store(transaction: Transaction, tree_id: int, delta: Delta, *, volume_id: int | None = None) -> None:
    """Write what a decision or an observation changed. New layers are written down as made for the volume.

    What changed has to be weighed anew, whatever it weighed before.
    """
    touched = {layer.id for layer in delta.layers} | _named_before(transaction, delta)
    if delta.layers:
        insert = transaction.insert(LAYER)
        changed = {name: insert.excluded[name] for name in (*_GRAPH_COLUMNS, *_WEIGHTS)}
        transaction.execute(
            insert.on_conflict_do_update(index_elements=[LAYER.c.id], set_=changed),
            [
                {
                    "id": layer.id,
                    "tree_id": tree_id,
                    "volume_id": volume_id,
                    **dict.fromkeys(_WEIGHTS),
                    "problem": None,
                    "loose": True,
                    **_columns(layer),
                }
                for layer in delta.layers
            ],
        )
    if delta.gone:
        gone.note(transaction, tree_id, delta.gone)
        transaction.execute(
            delete(LAYER).where(LAYER.c.id == bindparam("gone")), [{"gone": layer} for layer in delta.gone]
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
    _note_loose(transaction, touched | set(delta.names.values()))


def unchanged(transaction: Transaction, known: Mapping[LayerId, Placed], layers: Sequence[LayerId]) -> bool:
    """Whether each of these layers is stored just as it is known, as far as the graph goes."""
    stored = {
        row.id: _placed(row).layer for row in transaction.execute(_LAYERS.where(LAYER.c.id.in_(layers)))
    }
    return stored == {id: known[id].layer for id in layers if id in known}


def note_problems(transaction: Transaction, problems: Mapping[LayerId, str | None]) -> None:
    if problems:
        transaction.execute(
            _NOTE.values(problem=bindparam("text")),
            [{"layer": layer, "text": text} for layer, text in problems.items()],
        )
        _note_loose(transaction, problems)


_WEIGHTS = ("allocated_bytes", "covered_bytes", "covered_by")
_GRAPH_COLUMNS = ("parent", "size_bytes", "frozen", "state", "origin")
_NAME_KEY = tuple_(LAYER_NAME.c.kind, LAYER_NAME.c.id)
_LAYERS = select(LAYER)
_NAMES = select(LAYER_NAME)
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


def _loose() -> Select[Any]:
    child = LAYER.alias("child")

    def end(of: Callable[[ColumnElement[str]], ColumnElement[str]], label: str) -> ColumnElement[str]:
        at_rest = select(of(child.c.id)).where(child.c.parent == LAYER.c.id, ~child.c.loose)
        return at_rest.scalar_subquery().label(label)

    return select(LAYER, end(func.min, "first_child"), end(func.max, "last_child")).where(
        LAYER.c.tree_id == bindparam("tree"), LAYER.c.loose
    )


_LOOSE = _loose()
_IS_LOOSE = or_(
    LAYER.c.state != State.SETTLED.value,
    LAYER.c.problem.is_not(None),
    ~exists().where(LAYER_NAME.c.layer == LAYER.c.id),
)


def _named_before(transaction: Transaction, delta: Delta) -> set[LayerId]:
    """The layers that the names of a delta have named until now."""
    keys = [(name.kind.value, int(name.id)) for name in (*delta.names, *delta.dropped)]
    if not keys:
        return set()
    found = transaction.execute(select(LAYER_NAME.c.layer).where(_NAME_KEY.in_(keys)))
    return {LayerId(row.layer) for row in found}


def _note_loose(transaction: Transaction, layers: Iterable[LayerId]) -> None:
    """Write down of these layers whether there may be something to do about them."""
    transaction.execute(update(LAYER).where(LAYER.c.id.in_(list(layers))).values(loose=_IS_LOOSE))


def _stored(layers: Iterable[Any], names: Iterable[Any], *, whole: bool) -> Stored:
    placed = [_placed(row) for row in layers]
    named: dict[Name, LayerId] = {}
    counts: dict[Name, tuple[int, int]] = {}
    for row in names:
        name = name_of(NameKind(row.kind), row.id)
        named[name] = LayerId(row.layer)
        counts[name] = (row.exclusive_bytes, row.shared_bytes)
    return Stored(
        whole=whole,
        graph=Graph.of((each.layer for each in placed), named),
        layers={each.layer.id: each for each in placed},
        counts=counts,
    )


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
        layer=layer,
        volume_id=row.volume_id,
        allocated_bytes=row.allocated_bytes,
        covered=None if row.covered_by is None else (LayerId(row.covered_by), row.covered_bytes),
        problem=row.problem,
    )


def _columns(layer: Layer) -> dict[str, Any]:
    match layer.origin:
        case None:
            origin = None
        case Source(location=location):
            origin = {"copy": True, **_place_columns(location)}
        case Location():
            origin = {"copy": False, **_place_columns(layer.origin)}
    return {
        "parent": layer.parent,
        "size_bytes": layer.size_bytes,
        "frozen": layer.frozen,
        "state": layer.state.value,
        "origin": origin,
    }


def _place_columns(location: Location) -> dict[str, Any]:
    return {"transport": location.transport.value, "address": location.address, "format": location.format}


def _origin(stored: Any) -> Source | Location | None:
    match stored:
        case {"copy": copy, "transport": transport, "address": address, "format": format}:
            location = Location(transport=Transport(transport), address=address, format=format)
            return Source(location=location) if copy else location
        case _:
            return None
