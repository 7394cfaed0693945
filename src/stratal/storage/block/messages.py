"""Messages: what went wrong with a project's volumes and snapshots after a request for it had been accepted.

They are the events of those resources, and go when events go. Who has read one may dismiss it.
Called by faces.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, select

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import NotFound
from stratal.kernel.journal import EVENT, Level
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import uuids_of
from stratal.storage.block.model import DISMISSED
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_volume.model import BS_VOLUME

MOST: Final = 1000
_event = EVENT.table.c
_KINDS: Final = {BS_VOLUME.name: BS_VOLUME, BS_SNAP.name: BS_SNAP}


@dataclass(frozen=True, kw_only=True)
class Message:
    """An event, as somebody wants to read of it."""

    id: int
    event: str
    text: str
    #: the kind of what it is about, and its UUID
    kind: str
    resource_uuid: str | None
    created_at: datetime


class Messages:
    def all(self, transaction: Transaction, access: Access) -> list[Message]:
        """Those of the project, newest first, and not more than `MOST`."""
        return self._find(transaction, _event.project_id == access.project_id)

    def show(self, transaction: Transaction, access: Access, id: int) -> Message:
        """Raises NotFound."""
        mine = [] if access.reach is Reach.ALL else [_event.project_id == access.project_id]
        found = self._find(transaction, _event.id == id, *mine)
        if not found:
            raise NotFound(kind="message", id=id)
        return found[0]

    def dismiss(self, transaction: Transaction, access: Access, id: int) -> None:
        """Show a message no more. Raises NotFound."""
        self.show(transaction, access, id)
        transaction.execute(DISMISSED.insert(), {"event_id": id})
        oldest = select(func.min(_event.id)).scalar_subquery()
        transaction.execute(delete(DISMISSED).where(DISMISSED.c.event_id < oldest))

    @staticmethod
    def _find(transaction: Transaction, *where: ColumnElement[bool]) -> list[Message]:
        statement = (
            select(
                _event.id,
                _event.event,
                _event.message,
                _event.resource_type,
                _event.resource_id,
                _event.created_at,
            )
            .where(
                _event.resource_type.in_(_KINDS),
                _event.level.in_((Level.WARNING, Level.ERROR)),
                _event.id.not_in(select(DISMISSED.c.event_id)),
                *where,
            )
            .order_by(_event.id.desc())
            .limit(MOST)
        )
        rows: list[Any] = list(transaction.execute(statement))
        names = {
            kind: uuids_of(
                transaction, declared, [row.resource_id for row in rows if row.resource_type == kind]
            )
            for kind, declared in _KINDS.items()
        }
        return [
            Message(
                id=row.id,
                event=row.event,
                text=row.message,
                kind=row.resource_type,
                resource_uuid=names[row.resource_type].get(row.resource_id),
                created_at=row.created_at,
            )
            for row in rows
        ]
