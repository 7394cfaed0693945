"""Reading the rows of groups and of their snapshots, and auditing. Called by those services."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, select

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import NotFound
from stratal.kernel.journal import AuditStatus, record_audit
from stratal.kernel.transaction import Transaction


def rows(
    transaction: Transaction, table: Table, access: Access, *, all_projects: bool
) -> Sequence[Mapping[str, Any]]:
    """The project's, newest first."""
    where = [] if all_projects and access.reach is Reach.ALL else [table.c.project_id == access.project_id]
    statement = select(table).where(*where).order_by(table.c.created_at.desc(), table.c.uuid)
    return [dict(row) for row in transaction.execute(statement).mappings()]


def row(transaction: Transaction, table: Table, access: Access, uuid: str, what: str) -> Mapping[str, Any]:
    """Raises NotFound, also for another project's."""
    found = transaction.execute(select(table).where(table.c.uuid == uuid)).mappings().first()
    if found is None or (access.reach is not Reach.ALL and found["project_id"] != access.project_id):
        raise NotFound(kind=what, id=uuid)
    return dict(found)


def word(condition: str | None, states: set[str]) -> str:
    """The status of what has parts in these states."""
    if condition is not None:
        return condition
    if "error" in states:
        return "error"
    if states & {"creating", "downloading"}:
        return "creating"
    return "available"


def audit(transaction: Transaction, access: Access, action: str, table: Table, uuid: str) -> None:
    record_audit(
        transaction,
        access,
        action,
        resource_type=table.name,
        resource_name=uuid,
        status=AuditStatus.SUCCEEDED,
    )
