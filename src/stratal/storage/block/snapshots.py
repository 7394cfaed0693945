"""What may be asked of snapshots in these dialects. Called by faces."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import NotFound
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.limits import LimitService
from stratal.storage.block.model import UNNAMED
from stratal.storage.block.states import SnapshotStatus, WrongStatus, check_snapshot, check_volume
from stratal.storage.block.traits import checked_metadata, put_snapshot
from stratal.storage.block.views import SnapshotView
from stratal.storage.bs_snap.model import BS_SNAP, BsSnapCreate, BsSnapUpdate
from stratal.storage.bs_snap.service import BsSnapService
from stratal.storage.bs_volume.model import BS_VOLUME


class BlockSnapshots:
    """Snapshots with metadata and a status. The snapshots themselves are those of `BsSnapService`."""

    def __init__(self, snapshots: BsSnapService, limits: LimitService) -> None:
        self._snapshots = snapshots
        self._volumes = Store(BS_VOLUME)
        self._limits = limits

    # -- reading -------------------------------------------------------------------------------------

    def within(self, access: Access, *, all_projects: bool = False) -> list[ColumnElement[bool]]:
        """The condition for the snapshots that a list may show."""
        if all_projects and access.reach is Reach.ALL:
            return []
        return [BS_SNAP.tables.spec.c.project_id == access.project_id]

    def show(self, transaction: Transaction, access: Access, id: int, *, lock: bool = False) -> SnapshotView:
        """Raises NotFound, also for a snapshot of another project."""
        self._snapshots.show(transaction, access, id, lock=lock)
        found = views.snapshot(transaction, id)
        if found is None:
            raise NotFound(kind="bs_snap", id=id)
        return found

    # -- changing ------------------------------------------------------------------------------------

    def create(
        self,
        transaction: Transaction,
        access: Access,
        *,
        volume_id: int,
        name: str | None,
        description: str | None,
        metadata: Mapping[str, str],
        verb: str,
        group_snapshot_uuid: str | None = None,
    ) -> SnapshotView:
        """A snapshot of a volume whose status allows the `verb` of `VOLUME_MAY`.

        Raises NotFound, WrongStatus, LimitReached.
        """
        pairs = checked_metadata(metadata)
        # the status that is checked holds until the end
        self._volumes.get(transaction, volume_id, lock=True, labels=False)
        volume = views.volume(transaction, volume_id)
        foreign = access.reach is not Reach.ALL
        if volume is None or (foreign and volume.project_id != access.project_id):
            raise NotFound(kind="bs_volume", id=volume_id)
        check_volume(verb, status=volume.status, uuid=volume.uuid)
        self._limits.check(transaction, volume.project_id, "snapshots")
        body = BsSnapCreate(name=name or UNNAMED, description=description or "", bs_volume_id=volume_id)
        snapshot = self._snapshots.create(transaction, access, body)
        put_snapshot(
            transaction,
            snapshot.id,
            metadata=pairs,
            user_id=access.user_id,
            group_snapshot_uuid=group_snapshot_uuid,
        )
        return self.show(transaction, access, snapshot.id)

    def update(
        self, transaction: Transaction, access: Access, id: int, changes: Mapping[str, str | None]
    ) -> SnapshotView:
        """Another name or description."""
        self._snapshots.update(transaction, access, id, BsSnapUpdate(**named(changes)))
        return self.show(transaction, access, id)

    def delete(
        self,
        transaction: Transaction,
        access: Access,
        id: int,
        *,
        force: bool = False,
        with_group: bool = False,
    ) -> None:
        """Begin the deletion. Raises WrongStatus unless it is available or error, or `force` is given.

        A part of a group snapshot goes only `with_group`.
        """
        snapshot = self.show(transaction, access, id, lock=True)
        if not force:
            check_snapshot("delete", status=snapshot.status, uuid=snapshot.uuid)
        if snapshot.group_snapshot_uuid is not None and not with_group:
            raise WrongStatus(
                what="snapshot", uuid=snapshot.uuid, allowed="alone", verb="delete", status="part of a group"
            )
        self._snapshots.delete(transaction, access, id)

    def set_metadata(
        self, transaction: Transaction, access: Access, id: int, pairs: Mapping[str, str], *, replace: bool
    ) -> dict[str, str]:
        """Add these pairs to the metadata, or put them in its place."""
        snapshot = self.show(transaction, access, id, lock=True)
        merged = checked_metadata(pairs if replace else {**snapshot.metadata, **pairs})
        put_snapshot(transaction, id, metadata=merged)
        self._acted(transaction, access, id, "set-metadata", {"metadata": merged})
        return merged

    def drop_metadata(self, transaction: Transaction, access: Access, id: int, key: str) -> None:
        """Remove a pair. Raises NotFound."""
        snapshot = self.show(transaction, access, id, lock=True)
        if key not in snapshot.metadata:
            raise NotFound(kind="metadata", id=key)
        left = {name: value for name, value in snapshot.metadata.items() if name != key}
        put_snapshot(transaction, id, metadata=left)
        self._acted(transaction, access, id, "set-metadata", {"metadata": left})

    def set_tags(
        self,
        transaction: Transaction,
        access: Access,
        id: int,
        *,
        add: Mapping[str, str],
        drop: Iterable[str],
    ) -> None:
        """Add tags and remove others. Raises Invalid."""
        found = self.show(transaction, access, id, lock=True)
        gone = frozenset(drop)
        left = {key: value for key, value in found.tags.items() if key not in gone}
        tags = checked_metadata({**left, **add}, field="tags")
        put_snapshot(transaction, id, tags=tags)
        self._acted(transaction, access, id, "set-tags", {"tags": tags})

    def set_condition(
        self, transaction: Transaction, access: Access, id: int, status: SnapshotStatus
    ) -> None:
        """What an administrator says that the status is, from now on; `available` ends it."""
        self.show(transaction, access, id, lock=True)
        put_snapshot(transaction, id, condition=None if status is SnapshotStatus.AVAILABLE else status.value)
        self._acted(transaction, access, id, "reset-status", {"status": status.value})

    def _acted(
        self, transaction: Transaction, access: Access, id: int, action: str, what: Mapping[str, object]
    ) -> None:
        self._snapshots.acted(
            transaction, access, self._snapshots.show(transaction, access, id), action, what
        )


def named(changes: Mapping[str, str | None]) -> dict[str, Any]:
    """Changes of name and description as the kinds store them, which know no null."""
    values: dict[str, Any] = {}
    if "name" in changes:
        values["name"] = changes["name"] or UNNAMED
    if "description" in changes:
        values["description"] = changes["description"] or ""
    return values
