"""Writing down what layers weigh, and whose bytes they are. Called by `counting`."""

from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, select, update

from stratal.kernel.transaction import Transaction
from stratal.storage.drivers.contract import LayerId
from stratal.storage.layers import Name
from stratal.storage.tree.rows import LAYER, LAYER_NAME

_NOTE = update(LAYER).where(LAYER.c.id == bindparam("layer"))


def note_weights(transaction: Transaction, weights: Mapping[LayerId, int]) -> None:
    """What these layers weigh now. What they, and what lies on top of them, cover is to be measured anew."""
    if weights:
        transaction.execute(
            _NOTE.values(allocated_bytes=bindparam("bytes")),
            [{"layer": layer, "bytes": weight} for layer, weight in weights.items()],
        )
        below = select(LAYER.c.parent).where(LAYER.c.id.in_(weights))
        changed = LAYER.c.id.in_(weights) | LAYER.c.id.in_(below)
        transaction.execute(update(LAYER).where(changed).values(covered_by=None))


def note_covered(transaction: Transaction, covered: Iterable[tuple[LayerId, LayerId, int]]) -> None:
    """How much of a layer another one has written over."""
    found = [{"layer": layer, "by": by, "bytes": bytes} for layer, by, bytes in covered]
    if found:
        transaction.execute(_NOTE.values(covered_by=bindparam("by"), covered_bytes=bindparam("bytes")), found)


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
