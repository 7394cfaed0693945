"""Forgetting what happened long ago. Run now and then by the composition root."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from structlog import get_logger

from stratal.kernel.database import Database
from stratal.kernel.journal import AuditLog, Event
from stratal.kernel.records import RecordService
from stratal.operations.settings.service import SettingsService

log: Any = get_logger(__name__)

_BATCH = 1000
"""Rows in one transaction: few enough that requests do not wait for it noticeably."""


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """How many records were removed."""

    events: int
    audit_logs: int


class Retention:
    """Removes events and audit logs that are older than the settings say they are kept."""

    def __init__(
        self, settings: SettingsService, events: RecordService[Event], audit_logs: RecordService[AuditLog]
    ) -> None:
        self._settings = settings
        self._events = events
        self._audit_logs = audit_logs

    def prune(self, database: Database) -> Pruned:
        """Remove all that is too old. Idempotent, and may be interrupted between any two batches."""
        settings = database.read(self._settings.current)
        now = database.clock.now()
        pruned = Pruned(
            events=_prune(database, self._events, now - timedelta(days=settings.event_reserved_days)),
            audit_logs=_prune(
                database, self._audit_logs, now - timedelta(days=settings.audit_log_reserved_days)
            ),
        )
        if pruned.events or pruned.audit_logs:
            log.info("records_pruned", events=pruned.events, audit_logs=pruned.audit_logs)
        return pruned


def _prune(database: Database, records: RecordService[Any], before: datetime) -> int:
    total = 0
    while removed := database.write(lambda transaction: records.prune(transaction, before, _BATCH)):
        total += removed
    return total
