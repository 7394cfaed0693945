"""Whose bytes are whose. Called by the services that show capacity and enforce quotas.

Each allocated byte is counted once: as exclusive to the one owner who needs it, as shared by several, or as
reclaimable when none does. So over all owners, exclusive + shared + reclaimable = allocated.

Who needs a byte is told by whole layers, with one refinement: what a layer's only child has written over is
seen through the layer's own names alone. So a snapshot has for itself what its deletion gives back.
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
    graph: Graph,
    *,
    allocated: Mapping[LayerId, int],
    covered: Mapping[LayerId, int],
    owner: Callable[[Name], Owner],
) -> Accounts[Owner]:
    """Count every layer of the graph once.

    `owner` says to whom a name belongs: itself, its volume, its project; so the same count serves the
    snapshot that asks what deleting it would free, the volume, and the quota. Layers missing in
    `allocated` count as empty. `covered` is what of a layer its only child has written over, of those in
    `covers`, as far as it is known.
    """
    own: dict[Owner, set[LayerId]] = {}
    virtual: dict[Owner, int] = {}
    for name, layer in graph.names.items():
        who = owner(name)
        own.setdefault(who, set()).add(layer)
        size = graph.layer(layer).size_bytes if name.kind is NameKind.HEAD else 0
        virtual[who] = virtual.get(who, 0) + size
    order = _parents_first(graph)
    covered = {layer: min(bytes, allocated.get(layer, 0)) for layer, bytes in covered.items()}
    needed = _needed(graph, order, allocated, covered, own)
    exclusive = dict.fromkeys(own, 0)
    shared = reclaimable = total = 0
    for layer, needing in _needing(graph, order, own).items():
        weight = allocated.get(layer, 0)
        total += weight
        if not needing:
            reclaimable += weight
        elif len(needing) == 1:
            exclusive[needing[0]] += weight
        else:
            naming = {owner(name) for name in graph.names_of(layer)} if covered.get(layer) else set[Owner]()
            hidden = covered[layer] if len(naming) == 1 else 0
            for who in naming:
                exclusive[who] += hidden
            shared += weight - hidden
    return Accounts(
        by_owner={
            who: Account(
                virtual_bytes=virtual[who],
                exclusive_bytes=exclusive[who],
                shared_bytes=needed[who] - exclusive[who],
            )
            for who in own
        },
        virtual_bytes=sum(virtual.values()),
        allocated_bytes=total,
        exclusive_bytes=sum(exclusive.values()),
        shared_bytes=shared,
        reclaimable_bytes=reclaimable,
    )


def _parents_first(graph: Graph) -> list[LayerId]:
    order = [layer.id for layer in graph.layers.values() if layer.parent is None]
    for layer in order:  # grows while it is walked over
        order.extend(graph.children(layer))
    return order


def _needing(
    graph: Graph, order: list[LayerId], own: Mapping[Owner, set[LayerId]]
) -> dict[LayerId, tuple[Owner, ...]]:
    """Up to two of those who need each layer: enough to tell whether none, one or several do."""
    needing: dict[LayerId, tuple[Owner, ...]] = dict.fromkeys(order, ())

    def add(layer: LayerId, who: Owner) -> None:
        already = needing[layer]
        if len(already) < 2 and who not in already:
            needing[layer] = (*already, who)

    for who, layers in own.items():
        for layer in layers:
            add(layer, who)
    for layer in reversed(order):
        below = graph.layer(layer).parent
        if below is not None:
            for who in needing[layer]:
                add(below, who)
    return needing


def _needed(
    graph: Graph,
    order: list[LayerId],
    allocated: Mapping[LayerId, int],
    covered: Mapping[LayerId, int],
    own: Mapping[Owner, set[LayerId]],
) -> dict[Owner, int]:
    """The bytes that each owner needs: of its own layers all, of those below what is not covered."""
    to_root: dict[LayerId, int] = {}
    for layer in order:
        below = graph.layer(layer).parent
        shining = allocated.get(layer, 0) - covered.get(layer, 0)
        to_root[layer] = shining + (to_root[below] if below is not None else 0)
    needed: dict[Owner, int] = {}
    for who, layers in own.items():
        if len(layers) == 1:
            # The common case, without a walk for each of a thousand snapshots of one chain.
            [layer] = layers
            needed[who] = to_root[layer] + covered.get(layer, 0)
            continue
        seen: set[LayerId] = set()
        for layer in layers:
            at: LayerId | None = layer
            while at is not None and at not in seen:
                seen.add(at)
                at = graph.layer(at).parent
        needed[who] = sum(
            allocated.get(layer, 0) - (0 if layer in layers else covered.get(layer, 0)) for layer in seen
        )
    return needed
