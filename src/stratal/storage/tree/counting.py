"""What layers weigh, and whose bytes they are. Called by the reconciler when a tree has come to rest."""

from datetime import datetime, timedelta

from stratal.kernel.errors import StratalError
from stratal.kernel.reconcile import Look
from stratal.kernel.transaction import Transaction
from stratal.storage.drivers.contract import LayerDriver, LayerId
from stratal.storage.drivers.errors import LayerBusy, LayerNotFound
from stratal.storage.layers import Name, State, account, covers
from stratal.storage.tree import rows, weights
from stratal.storage.tree.covering import Covering
from stratal.storage.tree.waking import wake

WEIGH_EVERY = timedelta(minutes=10)
"""How often layers that may be written to are weighed again."""


def weigh_due(weighed_at: datetime | None, now: datetime) -> bool:
    return weighed_at is None or now - weighed_at >= WEIGH_EVERY


class Counting:
    """Weighs layers, has it measured what they cover, and writes down whose bytes they are."""

    def __init__(self, covering: Covering) -> None:
        self._covering = covering

    def forget(self, tree_id: int) -> None:
        """The tree has changed."""
        self._covering.forget(tree_id)

    def count(
        self, look: Look, stored: rows.Stored, driver: LayerDriver, *, tree_id: int, all_heads: bool
    ) -> int:
        """Weigh what changed, or all that may be written to, count whose it is, and tell them.

        Returns the bytes of the whole tree. Where something has yet to be measured for an exact count, that
        is begun, and asks for another look.
        """
        weighed = _weigh(stored, driver, all_heads=all_heads)
        fresh = {id: weight for id, weight in weighed.items() if weight != stored.layers[id].allocated_bytes}
        measured = self._covering.take(tree_id)
        found: list[tuple[LayerId, LayerId, int]] = []
        missing: list[tuple[LayerId, LayerId]] = []
        covered = dict(stored.covered)
        for layer, child in covers(stored.graph):
            if layer in fresh or child in fresh:  # the last count stands until it is measured
                missing.append((layer, child))
            elif (layer, child) in measured:
                covered[layer] = measured[layer, child]
                found.append((layer, child, covered[layer]))
            elif layer not in covered:
                missing.append((layer, child))
        allocated = {id: weighed.get(id, placed.allocated_bytes or 0) for id, placed in stored.layers.items()}
        accounts = account(stored.graph, allocated=allocated, covered=covered, owner=_itself)
        counts = {name: (each.exclusive_bytes, each.shared_bytes) for name, each in accounts.by_owner.items()}
        changed = {name: both for name, both in counts.items() if stored.counts.get(name) != both}

        def write(transaction: Transaction) -> None:
            weights.note_weights(transaction, fresh)
            weights.note_covered(transaction, found)
            weights.note_counts(transaction, changed)
            wake(transaction, changed)

        if fresh or found or changed:
            look.write(write)
        if missing:
            self._covering.measure(tree_id, driver, missing)
        return accounts.allocated_bytes


def _weigh(stored: rows.Stored, driver: LayerDriver, *, all_heads: bool) -> dict[LayerId, int]:
    found: dict[LayerId, int] = {}
    for id, placed in stored.layers.items():
        layer = placed.layer
        if layer.state is State.PLANNED:
            continue
        if placed.allocated_bytes is None or (all_heads and not layer.frozen):
            try:
                found[id] = driver.usage(id).allocated_bytes
            except (LayerBusy, LayerNotFound):
                continue  # the next time
            except StratalError:
                break  # the place does not answer, which whoever has to do something there will say
    return found


def _itself(name: Name) -> Name:
    return name
