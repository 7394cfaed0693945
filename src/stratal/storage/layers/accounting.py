"""Whose bytes are whose. Called by the services that show capacity and enforce quotas.

Each layer's allocated bytes are counted once: as exclusive to the one owner who needs it, as shared by
several, or as reclaimable when none does. So over all owners, exclusive + shared + reclaimable = allocated.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from stratal.storage.drivers.contract import LayerId
from stratal.storage.layers.graph import Graph, Name, NameKind

Owner = TypeVar("Owner", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Account:
    """One owner's part."""

    #: the sizes of its volumes
    virtual_bytes: int
    #: what goes away when all its names are dropped
    exclusive_bytes: int
    #: what it needs together with others, counted in full for each of them
    shared_bytes: int


@dataclass(frozen=True, kw_only=True)
class Accounts(Generic[Owner]):
    """All owners' parts, and the sums. They add up: see the module."""

    by_owner: Mapping[Owner, Account]
    virtual_bytes: int
    allocated_bytes: int
    exclusive_bytes: int
    #: what several owners need, counted once
    shared_bytes: int
    #: what nobody needs any more and background work is about to free
    reclaimable_bytes: int


def account(
    graph: Graph, *, allocated: Mapping[LayerId, int], owner: Callable[[Name], Owner]
) -> Accounts[Owner]:
    """Count every layer of the graph once.

    `owner` says to whom a name belongs: itself, its volume, its project; so the same count serves the
    snapshot that asks what deleting it would free, the volume, and the quota. Layers missing in
    `allocated` count as empty.
    """
    owners = _owners(graph, owner)
    virtual: dict[Owner, int] = {owner(name): 0 for name in graph.names}
    for name, layer in graph.names.items():
        if name.kind is NameKind.HEAD:
            virtual[owner(name)] += graph.layer(layer).size_bytes
    exclusive = dict.fromkeys(virtual, 0)
    partial = dict.fromkeys(virtual, 0)
    shared = reclaimable = total = 0
    for layer in graph.layers:
        weight = allocated.get(layer, 0)
        total += weight
        needing = owners.get(layer, frozenset())
        if not needing:
            reclaimable += weight
        elif len(needing) == 1:
            (one,) = needing
            exclusive[one] += weight
        else:
            shared += weight
            for each in needing:
                partial[each] += weight
    return Accounts(
        by_owner={
            each: Account(
                virtual_bytes=virtual[each], exclusive_bytes=exclusive[each], shared_bytes=partial[each]
            )
            for each in virtual
        },
        virtual_bytes=sum(virtual.values()),
        allocated_bytes=total,
        exclusive_bytes=sum(exclusive.values()),
        shared_bytes=shared,
        reclaimable_bytes=reclaimable,
    )


def _owners(graph: Graph, owner: Callable[[Name], Owner]) -> dict[LayerId, frozenset[Owner]]:
    """Who needs each layer: whoever names it or a layer above it."""
    found: dict[LayerId, frozenset[Owner]] = {}
    for name, layer in graph.names.items():
        who = owner(name)
        at: LayerId | None = layer
        while at is not None and who not in (already := found.get(at, frozenset())):
            found[at] = already | {who}
            at = graph.layer(at).parent
    return found
