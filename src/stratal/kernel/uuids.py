"""The other id of resources: the UUID, by which the faces of OpenStack, Huawei and ZStack name them.

Every spec row has one (see `tables`). A face turns what a client wrote into the integer id that services
take, and back for a whole page at a time.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final

from sqlalchemy import Table, bindparam, select

from stratal.kernel.kind import AnyKind
from stratal.kernel.prepared import Prepared
from stratal.kernel.transaction import Transaction

_UUID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


def canonical_uuid(text: str) -> str | None:
    """A UUID as it is stored, of one with or without hyphens, in either case; None for anything else."""
    lower = text.lower()
    if not _UUID.fullmatch(lower):
        return None
    digits = lower.replace("-", "")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def id_of_uuid(
    transaction: Transaction,
    kind: AnyKind,
    text: str,
    *,
    gone: bool = False,
    project_id: int | None = None,
) -> int | None:
    """The integer id of the resource with this UUID; None where there is none.

    `gone`: or was one. `project_id`: of a kind of projects' own, only what is that project's.
    """
    uuid = canonical_uuid(text)
    if uuid is None:
        return None
    wanted = {"wanted": uuid} if project_id is None else {"wanted": uuid, "project_id": project_id}
    rows = transaction.rows(_by_uuid(kind.tables.spec, gone, project_id is not None), wanted)
    return rows[0].id if rows else None


def uuids_of(transaction: Transaction, kind: AnyKind, ids: Iterable[int | None]) -> dict[int, str]:
    """The UUIDs of these resources, of those that are gone too."""
    wanted = {id for id in ids if id is not None}
    if not wanted:
        return {}
    if len(wanted) == 1:
        rows = transaction.rows(_by_id(kind.tables.spec), {"wanted": wanted.pop()})
    else:
        columns = kind.tables.spec.c
        rows = transaction.execute(select(columns.id, columns.uuid).where(columns.id.in_(wanted)))
    return {row.id: row.uuid for row in rows}


@cache
def _by_uuid(table: Table, gone: bool, in_project: bool) -> Prepared:
    statement = select(table.c.id).where(table.c.uuid == bindparam("wanted"))
    if in_project:
        statement = statement.where(table.c.project_id == bindparam("project_id"))
    return Prepared(statement if gone else statement.where(table.c.deleted_at.is_(None)))


@cache
def _by_id(table: Table) -> Prepared:
    return Prepared(select(table.c.id, table.c.uuid).where(table.c.id == bindparam("wanted")))
