"""Decisions about disks, each in one transaction: load what it looks at, decide, store, ask for the tree.

Called by the services of volumes, snapshots and images, in the very transaction that writes their specs:
the graph is part of what is wanted, and so the order of the requests is the order of the decisions. A
snapshot asked for before a rollback holds what was there before it, however soon the two follow each other.
Nothing here touches storage; the tree's reconciler does.
"""

from collections.abc import Callable, Iterable

from stratal.kernel import work
from stratal.kernel.errors import NotFound
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.storage import layers
from stratal.storage.drivers.contract import LayerId, Location, Source
from stratal.storage.layers import Graph, Name, NameKind, Plan, State
from stratal.storage.lending.lent import Lent
from stratal.storage.tree import rows
from stratal.storage.tree.model import TREE


class Disks:
    """The layer graph as services see it. Stateless beside what is lent to guests."""

    def __init__(self, lent: Lent) -> None:
        self._trees = Store(TREE)
        self._lent = lent

    def create(
        self,
        transaction: Transaction,
        name: Name,
        *,
        called: str,
        policy_id: int,
        driver: str,
        place: str,
        size_bytes: int,
        origin: Source | Location | None = None,
    ) -> None:
        """A tree of its own for a new volume or image: empty, or made from what is at `origin`."""
        tree_id = self._trees.insert(
            transaction,
            {
                "name": called,
                "description": "",
                "driver": driver,
                "place": place,
                "bs_policy_id": policy_id,
            },
        )
        layer = _new_layer(transaction)
        self._decide(
            transaction,
            tree_id,
            [name],
            lambda graph: layers.create(graph, name=name, layer=layer, size_bytes=size_bytes, origin=origin),
            volume_id=_volume_of(name),
        )

    def snapshot(self, transaction: Transaction, head: Name, name: Name) -> None:
        """Keep under `name` what the volume holds now."""
        new_head = _new_layer(transaction)
        self._decide(
            transaction,
            self._tree_of(transaction, head),
            [head, name],
            lambda graph: layers.snapshot(graph, head=head, name=name, new_head=new_head),
            volume_id=_volume_of(head),
            through_guest=True,
        )

    def clone(
        self, transaction: Transaction, source: Name, name: Name, *, size_bytes: int | None = None
    ) -> None:
        """A volume that starts as the snapshot or image `source` is; at least as large."""
        layer = _new_layer(transaction)
        self._decide(
            transaction,
            self._tree_of(transaction, source),
            [source, name],
            lambda graph: layers.clone(graph, source=source, name=name, layer=layer, size_bytes=size_bytes),
            volume_id=_volume_of(name),
        )

    def rollback(self, transaction: Transaction, head: Name, to: Name, *, size_bytes: int) -> None:
        """Let the volume start again from a snapshot, with the size that it has."""
        new_head = _new_layer(transaction)
        self._decide(
            transaction,
            self._tree_of(transaction, head),
            [head, to],
            lambda graph: layers.rollback(graph, head=head, to=to, new_head=new_head, size_bytes=size_bytes),
            volume_id=_volume_of(head),
        )

    def resize(self, transaction: Transaction, head: Name, *, size_bytes: int) -> None:
        """Grow the volume."""
        self._decide(
            transaction,
            self._tree_of(transaction, head),
            [head],
            lambda graph: layers.resize(graph, head=head, size_bytes=size_bytes),
        )

    def flatten(self, transaction: Transaction, name: Name) -> None:
        """Make it independent of all that it came from. What is not made yet stays as it is: ask again."""

        def decide(graph: Graph) -> Plan:
            if graph.named(name).state is State.PLANNED:
                return Plan(graph=graph, delta=layers.Delta(), steps=())
            return layers.flatten(graph, name=name)

        self._decide(transaction, self._tree_of(transaction, name), [name], decide)

    def share(self, transaction: Transaction, source: Name, name: Name) -> None:
        """Give a frozen layer another name, as when a snapshot becomes an image."""
        self._decide(
            transaction,
            self._tree_of(transaction, source),
            [source, name],
            lambda graph: layers.share(graph, source=source, name=name),
        )

    def drop(self, transaction: Transaction, name: Name) -> None:
        """Let the name go. Idempotent."""
        tree_id = rows.tree_of(transaction, name)
        if tree_id is not None:
            self._decide(transaction, tree_id, [name], lambda graph: layers.drop(graph, name=name))

    @staticmethod
    def _tree_of(transaction: Transaction, name: Name) -> int:
        tree_id = rows.tree_of(transaction, name)
        if tree_id is None:
            raise NotFound(kind=name.kind, id=name.id)
        return tree_id

    def _decide(
        self,
        transaction: Transaction,
        tree_id: int,
        names: Iterable[Name],
        decision: Callable[[Graph], Plan],
        *,
        volume_id: int | None = None,
        through_guest: bool = False,
    ) -> None:
        """`through_guest`: the keeper of a guest that has the volume open is asked instead of the tree."""
        self._trees.get(transaction, tree_id, lock=True, labels=False)
        plan = decision(rows.around(transaction, names))
        rows.store(transaction, tree_id, plan.delta, volume_id=volume_id)
        loan = self._lent.of(volume_id) if through_guest and volume_id is not None else None
        work.ask(transaction, *(loan.keeper if loan else (TREE.name, tree_id)))


def _new_layer(transaction: Transaction) -> LayerId:
    return LayerId(transaction.entropy.uuid())


def _volume_of(name: Name) -> int | None:
    return int(name.id) if name.kind is NameKind.HEAD else None
