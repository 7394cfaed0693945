"""Writing the rows beside volumes and snapshots. Called by the services of this package."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from stratal.kernel.errors import Invalid
from stratal.kernel.prepared import Prepared
from stratal.kernel.transaction import Transaction
from stratal.storage.block.model import SNAPSHOT_TRAITS, VOLUME_TRAITS

MOST_METADATA: Final = 128
"""Pairs of one volume or snapshot; Cinder's quota of metadata items."""

_Pair = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00]*$(?!\n)")]
_Key = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]

_VOLUME_DEFAULTS: Final[dict[str, Any]] = {
    "metadata": {},
    "image_metadata": {},
    "tags": {},
    "bootable": False,
    "multiattach": False,
    "condition": None,
    "source_volume_id": None,
    "user_id": None,
    "group_uuid": None,
}
_SNAPSHOT_DEFAULTS: Final[dict[str, Any]] = {
    "metadata": {},
    "tags": {},
    "condition": None,
    "user_id": None,
    "group_snapshot_uuid": None,
}


def put_volume(transaction: Transaction, volume_id: int, **values: Any) -> None:
    """Set these columns of the volume's row, which comes into being where it was not."""
    _put(transaction, VOLUME_TRAITS, "volume_id", volume_id, _VOLUME_DEFAULTS, values)


def put_snapshot(transaction: Transaction, snapshot_id: int, **values: Any) -> None:
    """Set these columns of the snapshot's row, which comes into being where it was not."""
    _put(transaction, SNAPSHOT_TRAITS, "snapshot_id", snapshot_id, _SNAPSHOT_DEFAULTS, values)


def checked_metadata(metadata: Mapping[str, str], *, field: str = "metadata") -> dict[str, str]:
    """The pairs, if keys and values are fit to be kept. Raises Invalid."""
    try:
        pairs = msgspec.convert(dict(metadata), dict[_Key, _Pair])
    except msgspec.ValidationError as error:
        raise Invalid(
            field=field, reason=f"keys have 1 to 255 characters, values up to 255: {error}"
        ) from None
    if len(pairs) > MOST_METADATA:
        raise Invalid(field=field, reason=f"there are at most {MOST_METADATA} pairs")
    return pairs


def _put(
    transaction: Transaction,
    table: Table,
    key: str,
    id: int,
    defaults: dict[str, Any],
    values: dict[str, Any],
) -> None:
    row = {key: id, **defaults, **values}
    transaction.run(_upsert(table, key, tuple(row), tuple(values), transaction.dialect), row)


@cache
def _upsert(
    table: Table, key: str, columns: tuple[str, ...], changed: tuple[str, ...], dialect: str
) -> Prepared:
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    set_ = {name: insert.excluded[name] for name in changed}
    statement = insert.on_conflict_do_update(index_elements=[table.c[key]], set_=set_)
    return Prepared(statement, columns)
