"""Moments: snapshots of several volumes that were decided at once. Called by faces.

A moment is one decision over all layer graphs of its volumes, in one transaction: whatever is written
through Stratal is before it in all of them or in none. OpenStack takes one of a group, Huawei of volumes that
a client names, or of all disks of a server.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select

from stratal.kernel.access import Access
from stratal.kernel.errors import Invalid
from stratal.kernel.transaction import Transaction
from stratal.storage.block import group_rows, views
from stratal.storage.block.group_rows import audit
from stratal.storage.block.model import GROUP_SNAPSHOT, SNAPSHOT_TRAITS
from stratal.storage.block.snapshots import BlockSnapshots
from stratal.storage.block.traits import checked_metadata
from stratal.storage.block.views import SnapshotView


@dataclass(frozen=True, kw_only=True)
class GroupSnapshot:
    """One moment of several volumes."""

    uuid: str
    project_id: int
    #: the group that they are; None: they were named one by one
    group_uuid: str | None
    name: str | None
    description: str | None
    tags: dict[str, str]
    server_uuid: str | None
    condition: str | None
    created_at: datetime
    updated_at: datetime
    snapshots: tuple[SnapshotView, ...]

    @property
    def status(self) -> str:
        """As its snapshots are, unless an administrator said something else."""
        return group_rows.word(self.condition, {snapshot.status for snapshot in self.snapshots})


class GroupSnapshots:
    def __init__(self, snapshots: BlockSnapshots) -> None:
        self._snapshots = snapshots

    def all(
        self, transaction: Transaction, access: Access, *, all_projects: bool = False
    ) -> list[GroupSnapshot]:
        rows = group_rows.rows(transaction, GROUP_SNAPSHOT, access, all_projects=all_projects)
        parts: dict[str | None, list[SnapshotView]] = {}
        uuids = [row["uuid"] for row in rows]
        for part in views.snapshots(transaction, SNAPSHOT_TRAITS.c.group_snapshot_uuid.in_(uuids)):
            parts.setdefault(part.group_snapshot_uuid, []).append(part)
        return [GroupSnapshot(**row, snapshots=tuple(parts.get(row["uuid"], ()))) for row in rows]

    def show(self, transaction: Transaction, access: Access, uuid: str) -> GroupSnapshot:
        """Raises NotFound, also for another project's."""
        row = group_rows.row(transaction, GROUP_SNAPSHOT, access, uuid, "group snapshot")
        found = views.snapshots(transaction, SNAPSHOT_TRAITS.c.group_snapshot_uuid == uuid)
        return GroupSnapshot(**row, snapshots=tuple(found))

    def of_group(self, transaction: Transaction, group_uuid: str) -> bool:
        """Whether there are any of a group."""
        return self._any(transaction, GROUP_SNAPSHOT.c.group_uuid == group_uuid)

    def take(
        self,
        transaction: Transaction,
        access: Access,
        volume_ids: Iterable[int],
        *,
        project_id: int | None,
        name: str | None,
        description: str | None = None,
        group_uuid: str | None = None,
        server_uuid: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> GroupSnapshot:
        """All of these volumes at this moment, or none. Raises NotFound, WrongStatus, LimitReached."""
        # always in one order, so that two of them never wait for each other's graphs
        ids = sorted(set(volume_ids))
        if not ids:
            raise Invalid(field="group_id", reason="names nothing with volumes")
        uuid = transaction.entropy.uuid()
        row: dict[str, Any] = {
            "uuid": uuid,
            "project_id": project_id,
            "group_uuid": group_uuid,
            "name": name,
            "description": description,
            "tags": checked_metadata(tags or {}, field="tags"),
            "server_uuid": server_uuid,
            "condition": None,
            "created_at": transaction.now,
            "updated_at": transaction.now,
        }
        transaction.execute(GROUP_SNAPSHOT.insert(), row)
        for id in ids:
            made = self._snapshots.create(
                transaction,
                access,
                volume_id=id,
                name=name,
                description=description,
                metadata={},
                verb="snapshot-attached",
                group_snapshot_uuid=uuid,
            )
            if made.project_id != project_id:
                raise Invalid(field="volume_ids", reason="names volumes of several projects")
        audit(transaction, access, "create", GROUP_SNAPSHOT, uuid)
        return self.show(transaction, access, uuid)

    def update(
        self, transaction: Transaction, access: Access, uuid: str, values: Mapping[str, Any]
    ) -> GroupSnapshot:
        """Another name, other tags, or what an administrator says that the status is."""
        self.show(transaction, access, uuid)
        changes: dict[str, Any] = {**values, "updated_at": transaction.now}
        if "tags" in changes:
            changes["tags"] = checked_metadata(changes["tags"], field="tags")
        transaction.execute(GROUP_SNAPSHOT.update().where(GROUP_SNAPSHOT.c.uuid == uuid).values(**changes))
        audit(transaction, access, "update", GROUP_SNAPSHOT, uuid)
        return self.show(transaction, access, uuid)

    def delete(self, transaction: Transaction, access: Access, uuid: str) -> Sequence[int]:
        """Let go of a moment, with all of its snapshots. Returns their volumes. Raises WrongStatus."""
        moment = self.show(transaction, access, uuid)
        for snapshot in moment.snapshots:
            self._snapshots.delete(transaction, access, snapshot.id, with_group=True)
        transaction.execute(delete(GROUP_SNAPSHOT).where(GROUP_SNAPSHOT.c.uuid == uuid))
        audit(transaction, access, "delete", GROUP_SNAPSHOT, uuid)
        return [snapshot.volume_id for snapshot in moment.snapshots]

    @staticmethod
    def _any(transaction: Transaction, *where: ColumnElement[bool]) -> bool:
        return transaction.execute(select(GROUP_SNAPSHOT.c.uuid).where(*where)).first() is not None
