"""What happened: events (of the system) and audit logs (of its users). Both are resources of their own.

Rows are written here, in the transaction of the thing they tell of; the operations domain lists and prunes
them. An audit row is `running` from the request until the reconciler that the request woke has come to
rest, which is when the user got what was asked for.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Index, bindparam, select, update

from stratal.kernel.access import Access
from stratal.kernel.kind import RecordKind
from stratal.kernel.prepared import Prepared
from stratal.kernel.transaction import Transaction


class Level(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class AuditStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Event(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Something the system did or noticed."""

    id: int
    #: what happened, in snake case, such as `room_created`
    event: str
    level: Level
    resource_type: str | None = None
    resource_id: int | None = None
    resource_name: str | None = None
    project_id: int | None = None
    node_id: int | None = None
    data: dict[str, Any] | None = None
    message: str
    created_at: datetime


class AuditLog(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One call that changed something, or tried to."""

    id: int
    user_id: int
    user_name: str
    project_id: int | None = None
    client_ip: str
    request_id: str
    #: create, update, delete, or the verb of an action
    action: str
    resource_type: str
    resource_id: int | None = None
    resource_name: str | None = None
    #: the changed fields before, and after; secrets are never among them
    old_data: dict[str, Any] | None = None
    new_data: dict[str, Any] | None = None
    status: AuditStatus
    message: str | None = None
    started_at: datetime
    finished_at: datetime | None = None
    created_at: datetime


EVENT = RecordKind(
    name="event",
    plural="events",
    type_name="Event",
    record=Event,
    indexes=(("created_at",), ("resource_type", "resource_id"), ("project_id", "created_at")),
)
AUDIT_LOG = RecordKind(
    name="audit_log",
    plural="audit-logs",
    type_name="AuditLog",
    record=AuditLog,
    indexes=(("created_at",), ("user_id", "created_at"), ("project_id", "created_at")),
)
_running = AUDIT_LOG.table.c.status == AuditStatus.RUNNING
Index(
    "ix_audit_log_running",
    AUDIT_LOG.table.c.resource_type,
    AUDIT_LOG.table.c.resource_id,
    sqlite_where=_running,
    postgresql_where=_running,
)
Index("ix_audit_log_resource", AUDIT_LOG.table.c.resource_type, AUDIT_LOG.table.c.resource_id)

_INSERT_EVENT = Prepared(
    EVENT.table.insert(), [name for name in Event.__struct_fields__ if name not in ("id", "node_id")]
)
_INSERT_AUDIT = Prepared(
    AUDIT_LOG.table.insert(), [name for name in AuditLog.__struct_fields__ if name != "id"]
)
_FINISH_AUDITS = Prepared(
    update(AUDIT_LOG.table)
    .where(
        AUDIT_LOG.table.c.resource_type == bindparam("of"),
        AUDIT_LOG.table.c.resource_id == bindparam("one"),
        _running,
    )
    .values(status=AuditStatus.SUCCEEDED, finished_at=bindparam("now"))
)


def record_event(
    transaction: Transaction,
    event: str,
    *,
    message: str,
    level: Level = Level.INFO,
    resource_type: str | None = None,
    resource_id: int | None = None,
    resource_name: str | None = None,
    project_id: int | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    transaction.run(
        _INSERT_EVENT,
        {
            "event": event,
            "level": level,
            "message": message,
            "resource_type": resource_type,
            "resource_id": resource_id,
            "resource_name": resource_name,
            "project_id": project_id,
            "data": data,
            "created_at": transaction.now,
        },
    )


def record_audit(
    transaction: Transaction,
    access: Access,
    action: str,
    *,
    resource_type: str,
    resource_id: int | None = None,
    resource_name: str | None = None,
    old_data: dict[str, Any] | None = None,
    new_data: dict[str, Any] | None = None,
    status: AuditStatus = AuditStatus.RUNNING,
    message: str | None = None,
) -> None:
    """Write down a call. With a status other than `running` it is finished as of now."""
    transaction.run(
        _INSERT_AUDIT,
        {
            "user_id": access.user_id,
            "user_name": access.user_name,
            "project_id": access.project_id,
            "client_ip": access.client_ip,
            "request_id": access.request_id,
            "action": action,
            "resource_type": resource_type,
            "resource_id": resource_id,
            "resource_name": resource_name,
            "old_data": old_data,
            "new_data": new_data,
            "status": status,
            "message": message,
            "started_at": transaction.now,
            "finished_at": None if status is AuditStatus.RUNNING else transaction.now,
            "created_at": transaction.now,
        },
    )


def finish_audits(transaction: Transaction, resource_type: str, resource_id: int) -> None:
    """The reconciler of this resource came to rest: what was asked of it has been done."""
    finish_all_audits(transaction, resource_type, [resource_id])


def finish_all_audits(transaction: Transaction, resource_type: str, resource_ids: Iterable[int]) -> None:
    """`finish_audits` for many of one kind."""
    of_kind = {"of": resource_type, "now": transaction.now}
    transaction.run(_FINISH_AUDITS, *({**of_kind, "one": id} for id in resource_ids))


def last_event(transaction: Transaction, resource_type: str, resource_id: int) -> str | None:
    """The message of the newest event about a resource."""
    table = EVENT.table
    return transaction.execute(
        select(table.c.message)
        .where(table.c.resource_type == resource_type, table.c.resource_id == resource_id)
        .order_by(table.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
