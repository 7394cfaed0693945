"""Which layers running guests have open. In memory; owned by the storage facade.

Asked by the reconciler of trees before it touches a layer, and filled by `lender`. Compute lends again,
before the engine starts, whatever a guest may have open: so nothing is ever touched under a guest that
outlived us.
"""

import threading
from collections import defaultdict
from collections.abc import Generator, Iterable, Set
from contextlib import contextmanager
from dataclasses import dataclass, field

from stratal.storage.drivers.contract import LayerId, OpenDisk

Keeper = tuple[str, int]
"""Kind and id of the resource whose reconciler drives the guest: it is asked for what only it can do."""


@dataclass(kw_only=True)
class Loan:
    """A volume that a guest has open, or is about to open, or may have open."""

    volume_id: int
    tree_id: int
    keeper: Keeper
    #: all that it may have open; never too few
    layers: set[LayerId]
    #: the layer that the guest writes to; None until its disk has been seen
    top: LayerId | None = None
    #: the way to the guest; None until its disk has been seen
    disk: OpenDisk | None = None


@dataclass(kw_only=True)
class _Tree:
    lock: threading.RLock = field(default_factory=threading.RLock)
    users: int = 0


class Lent:
    """The loans of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._trees: dict[int, _Tree] = {}
        self._loans: dict[int, Loan] = {}
        self._by_layer: dict[LayerId, set[int]] = defaultdict(set)

    @contextmanager
    def turn(self, tree_id: int) -> Generator[None]:
        """Held by who looks whether a layer is lent and then begins to change it, and by who lends it: so
        that each sees what the other did. For moments only."""
        with self._lock:
            tree = self._trees.setdefault(tree_id, _Tree())
            tree.users += 1
        try:
            with tree.lock:
                yield
        finally:
            with self._lock:
                tree.users -= 1
                if not tree.users:
                    self._trees.pop(tree_id, None)

    def put(self, loan: Loan) -> None:
        """A loan is new, or known better. The caller has the tree's turn, or is alone."""
        with self._lock:
            self._remove(loan.volume_id)
            self._loans[loan.volume_id] = loan
            for layer in loan.layers:
                self._by_layer[layer].add(loan.volume_id)

    def remove(self, volume_id: int) -> None:
        """No guest has the volume open any more. Idempotent."""
        with self._lock:
            self._remove(volume_id)

    def of(self, volume_id: int) -> Loan | None:
        with self._lock:
            return self._loans.get(volume_id)

    def at(self, layer: LayerId) -> list[Loan]:
        """The loans that a layer is part of."""
        with self._lock:
            return [self._loans[each] for each in sorted(self._by_layer.get(layer, ()))]

    def layers(self, tree_ids: Set[int] | None = None) -> frozenset[LayerId]:
        """All layers that are lent, or those of some trees."""
        with self._lock:
            return frozenset(_all(self._loans.values(), tree_ids))

    def _remove(self, volume_id: int) -> None:
        loan = self._loans.pop(volume_id, None)
        for layer in loan.layers if loan else ():
            volumes = self._by_layer[layer]
            volumes.discard(volume_id)
            if not volumes:
                del self._by_layer[layer]


def _all(loans: Iterable[Loan], tree_ids: Set[int] | None) -> Generator[LayerId]:
    for loan in loans:
        if tree_ids is None or loan.tree_id in tree_ids:
            yield from loan.layers
