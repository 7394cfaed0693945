"""Layers that have left their tree, looked for once more. Called by `rows`, and as a chore by the facade.

A process that is stalled past its lease may wake up in the middle of making a layer that another one found to
be unwanted, did not find, and forgot. Nobody would ever look at it again. So whatever leaves a tree is
remembered for a day, and removed whenever it is there after all. Names of layers are never used twice.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Table, Text, delete, select, update
from structlog import get_logger

from stratal.kernel.columns import UtcTime
from stratal.kernel.database import Database
from stratal.kernel.errors import StratalError
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction
from stratal.storage.drivers.contract import LayerId
from stratal.storage.places import Places
from stratal.storage.tree.model import TREE

log: Any = get_logger(__name__)

_FIRST: Final = timedelta(minutes=1)
_REMEMBERED: Final = timedelta(days=1)
_AT_ONCE: Final = 1000

GONE = Table(
    "layer_gone",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("tree_id", BigInteger, nullable=False),
    Column("gone_at", UtcTime, nullable=False),
    # when to look for it: less and less often
    Column("look_at", UtcTime, nullable=False, index=True),
)


def note(transaction: Transaction, tree_id: int, layers: Iterable[LayerId]) -> None:
    """These layers are in no tree any more."""
    times = {"tree_id": tree_id, "gone_at": transaction.now, "look_at": transaction.now}
    rows = [{"id": layer, **times} for layer in layers]
    if rows:
        transaction.execute(transaction.insert(GONE).on_conflict_do_nothing(), rows)


def sweep(database: Database, places: Places) -> None:
    """Remove what came back of the layers whose turn it is, and forget those that had their time."""
    now, due = database.read(_due)
    for row in due:
        try:
            driver = places.driver(row.driver, row.place)
            if driver.observe(LayerId(row.id)) is not None:
                driver.delete(LayerId(row.id))
                log.info("layer_removed", layer=row.id, reason="it came back after it was forgotten")
        except StratalError as error:  # it is being made just now, or the place is away: the next time
            log.info("layer_not_looked_for", layer=row.id, error=str(error))
    if due:
        database.write(lambda tx: _put_off(tx, now, due))


def _due(transaction: Transaction) -> tuple[datetime, list[Any]]:
    tree = TREE.tables.spec.c
    statement = (
        select(GONE, tree.driver, tree.place)
        .join_from(GONE, TREE.tables.spec, tree.id == GONE.c.tree_id)
        .where(GONE.c.look_at <= transaction.now)
        .order_by(GONE.c.look_at)
        .limit(_AT_ONCE)
    )
    return transaction.now, list(transaction.execute(statement))


def _put_off(transaction: Transaction, now: datetime, rows: Iterable[Any]) -> None:
    for row in rows:
        later = now + max(_FIRST, now - row.gone_at)
        transaction.execute(update(GONE).where(GONE.c.id == row.id).values(look_at=later))
    transaction.execute(delete(GONE).where(GONE.c.gone_at < now - _REMEMBERED))
