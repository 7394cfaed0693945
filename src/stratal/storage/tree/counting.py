"""What layers weigh, and whose bytes they are. Called by the reconciler when a tree has come to rest."""

from datetime import datetime, timedelta

from stratal.kernel.errors import StratalError
from stratal.kernel.reconcile import Look
from stratal.storage.drivers.contract import LayerDriver, LayerId
from stratal.storage.drivers.errors import LayerBusy, LayerNotFound
from stratal.storage.layers import Name, State, account
from stratal.storage.tree import rows
from stratal.storage.tree.waking import wake

WEIGH_EVERY = timedelta(minutes=10)
"""How often layers that may be written to are weighed again."""


def weigh_due(weighed_at: datetime | None, now: datetime) -> bool:
    return weighed_at is None or now - weighed_at >= WEIGH_EVERY


def count(look: Look, stored: rows.Stored, driver: LayerDriver, *, tree_id: int, all_heads: bool) -> int:
    """Weigh what changed, or all that may be written to, and count whose it is. Wakes whose count changed.

    Returns the bytes of the whole tree.
    """
    weights = _weigh(stored, driver, all_heads=all_heads)
    allocated = {id: weights.get(id, placed.allocated_bytes or 0) for id, placed in stored.layers.items()}
    accounts = account(stored.graph, allocated=allocated, owner=_itself)
    counts = {name: (each.exclusive_bytes, each.shared_bytes) for name, each in accounts.by_owner.items()}
    changed = {name: both for name, both in counts.items() if stored.counts.get(name) != both}
    fresh = {id: weight for id, weight in weights.items() if weight != stored.layers[id].allocated_bytes}
    if fresh or changed:
        look.write(
            lambda tx: (rows.note_weights(tx, fresh), rows.note_counts(tx, changed), wake(tx, changed))
        )
    return accounts.allocated_bytes


def _weigh(stored: rows.Stored, driver: LayerDriver, *, all_heads: bool) -> dict[LayerId, int]:
    weights: dict[LayerId, int] = {}
    for id, placed in stored.layers.items():
        layer = placed.layer
        if layer.state is State.PLANNED:
            continue
        if placed.allocated_bytes is None or (all_heads and not layer.frozen):
            try:
                weights[id] = driver.usage(id).allocated_bytes
            except (LayerBusy, LayerNotFound):
                continue  # the next time
            except StratalError:
                break  # the place does not answer, which whoever has to do something there will say
    return weights


def _itself(name: Name) -> Name:
    return name
