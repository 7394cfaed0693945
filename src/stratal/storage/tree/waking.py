"""Asking for a look at the resources that need a layer. Called by the reconciler of trees."""

from collections.abc import Iterable
from typing import Any

from stratal.kernel import work
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.storage.drivers.contract import LayerId
from stratal.storage.layers import Graph, Name, NameKind

KIND_OF = {NameKind.HEAD: "bs_volume", NameKind.SNAPSHOT: "bs_snap", NameKind.IMAGE: "vm_image"}


def wake(transaction: Transaction, names: Iterable[Name]) -> None:
    """Ask for a look at each resource of these names."""
    for name in names:
        if name.kind in KIND_OF:
            work.ask(transaction, KIND_OF[name.kind], int(name.id))


def leave_to_tree(transaction: Transaction, resource: Resource[Any, Any]) -> None:
    """Ask for no look at a resource and what it refers to in a request that asks for the tree.

    The tree asks for them as soon as there is something to see. Looks before that would only keep it, and
    the user who waits, from the database.
    """
    transaction.asked.discard((resource.kind.name, resource.id))
    for reference in resource.kind.references:
        transaction.asked.discard((reference.kind, getattr(resource.spec, reference.field)))


def named(graph: Graph, layers: Iterable[LayerId]) -> set[Name]:
    """The names of these layers themselves."""
    return {name for layer in layers if layer in graph.layers for name in graph.names_of(layer)}


def standing_on(graph: Graph, layers: Iterable[LayerId]) -> set[Name]:
    """The names that need any of these layers, themselves or for what lies above."""
    found: set[Name] = set()
    for layer in layers:
        if layer in graph.layers:
            found |= graph.names_of(layer)
            for above in graph.descendants(layer):
                found |= graph.names_of(above.id)
    return found
