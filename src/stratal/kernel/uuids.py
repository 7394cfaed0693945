"""The other id of resources: the UUID, by which the faces of OpenStack, Huawei and ZStack name them.

Every spec row has one (see `tables`). A face turns what a client wrote into the integer id that services
take, and back for a whole page at a time.
"""

import re
from collections.abc import Iterable
from typing import Final

from sqlalchemy import select

from stratal.kernel.kind import AnyKind
from stratal.kernel.transaction import Transaction

_UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


def canonical_uuid(text: str) -> str | None:
    """A UUID as it is stored, of one with or without hyphens, in either case; None for anything else."""
    lower = text.lower()
    if not _UUID.fullmatch(lower):
        return None
    digits = lower.replace("-", "")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def id_of_uuid(transaction: Transaction, kind: AnyKind, text: str, *, gone: bool = False) -> int | None:
    """The integer id of the resource with this UUID; None where there is none. `gone`: or was one."""
    uuid = canonical_uuid(text)
    if uuid is None:
        return None
    columns = kind.tables.spec.c
    statement = select(columns.id).where(columns.uuid == uuid)
    if not gone:
        statement = statement.where(columns.deleted_at.is_(None))
    return transaction.execute(statement).scalar_one_or_none()


def uuids_of(transaction: Transaction, kind: AnyKind, ids: Iterable[int | None]) -> dict[int, str]:
    """The UUIDs of these resources, of those that are gone too."""
    wanted = {id for id in ids if id is not None}
    if not wanted:
        return {}
    columns = kind.tables.spec.c
    rows = transaction.execute(select(columns.id, columns.uuid).where(columns.id.in_(wanted)))
    return {row.id: row.uuid for row in rows}
