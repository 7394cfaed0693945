"""Generic groups: volumes that are snapshotted at one moment. Called by faces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete

from stratal.kernel.access import Access
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.transaction import Transaction
from stratal.storage.block import group_rows, views
from stratal.storage.block.group_rows import audit
from stratal.storage.block.group_snapshots import GroupSnapshot, GroupSnapshots
from stratal.storage.block.group_types import GroupTypes
from stratal.storage.block.limits import LimitService
from stratal.storage.block.model import GROUP, VOLUME_TRAITS
from stratal.storage.block.snapshots import BlockSnapshots
from stratal.storage.block.states import WrongStatus
from stratal.storage.block.traits import put_volume
from stratal.storage.block.views import VolumeView
from stratal.storage.block.volumes import BlockVolumes, NewVolume


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group and its volumes."""

    uuid: str
    project_id: int
    name: str | None
    description: str | None
    group_type_uuid: str
    policy_ids: list[int]
    #: what it was copied from, which may be gone
    source_group_uuid: str | None
    group_snapshot_uuid: str | None
    condition: str | None
    created_at: datetime
    volumes: tuple[VolumeView, ...]

    @property
    def status(self) -> str:
        """As its volumes are, unless an administrator said something else."""
        return group_rows.word(self.condition, {volume.status for volume in self.volumes})


class Groups:
    def __init__(self, volumes: BlockVolumes, snapshots: BlockSnapshots, limits: LimitService) -> None:
        self._volumes = volumes
        self._limits = limits
        self.moments = GroupSnapshots(snapshots)
        self.types = GroupTypes()

    # -- groups --------------------------------------------------------------------------------------

    def all(self, transaction: Transaction, access: Access, *, all_projects: bool = False) -> list[Group]:
        return [
            self._group(transaction, row)
            for row in group_rows.rows(transaction, GROUP, access, all_projects=all_projects)
        ]

    def show(self, transaction: Transaction, access: Access, uuid: str) -> Group:
        """Raises NotFound, also for another project's."""
        return self._group(transaction, group_rows.row(transaction, GROUP, access, uuid, "group"))

    def create(
        self,
        transaction: Transaction,
        access: Access,
        *,
        name: str | None,
        description: str | None,
        group_type_uuid: str,
        policy_ids: Sequence[int],
        source_group_uuid: str | None = None,
        group_snapshot_uuid: str | None = None,
    ) -> Group:
        """An empty group. Raises NotFound, LimitReached."""
        self._limits.check(transaction, access.project_id, "groups")
        type_ = self.types.show(transaction, access, group_type_uuid)
        uuid = transaction.entropy.uuid()
        row = {
            "uuid": uuid,
            "project_id": access.project_id,
            "name": name,
            "description": description,
            "group_type_uuid": type_.uuid,
            "policy_ids": list(policy_ids),
            "source_group_uuid": source_group_uuid,
            "group_snapshot_uuid": group_snapshot_uuid,
            "condition": None,
            "created_at": transaction.now,
        }
        transaction.execute(GROUP.insert(), row)
        audit(transaction, access, "create", GROUP, uuid)
        return self.show(transaction, access, uuid)

    def create_from(
        self,
        transaction: Transaction,
        access: Access,
        *,
        name: str | None,
        description: str | None,
        group_uuid: str | None,
        group_snapshot_uuid: str | None,
    ) -> Group:
        """A group of copies: of a group's volumes as they are now, or of a moment of it."""
        if group_snapshot_uuid is not None:
            moment = self.moments.show(transaction, access, group_snapshot_uuid)
            if moment.group_uuid is None:
                raise Invalid(field="group_snapshot_id", reason="is not of a group")
            source = self.show(transaction, access, moment.group_uuid)
            new = [NewVolume(name=each.name, snapshot_id=each.id) for each in moment.snapshots]
        elif group_uuid is not None:
            source = self.show(transaction, access, group_uuid)
            new = [NewVolume(name=each.name, source_volume_id=each.id) for each in source.volumes]
        else:
            raise Invalid(field="create-from-src", reason="needs a group or a group snapshot")
        made = self.create(
            transaction,
            access,
            name=name,
            description=description,
            group_type_uuid=source.group_type_uuid,
            policy_ids=source.policy_ids,
            source_group_uuid=group_uuid,
            group_snapshot_uuid=group_snapshot_uuid,
        )
        for each in new:
            volume = self._volumes.create(transaction, access, each)
            put_volume(transaction, volume.id, group_uuid=made.uuid)
        return self.show(transaction, access, made.uuid)

    def update(
        self,
        transaction: Transaction,
        access: Access,
        uuid: str,
        values: Mapping[str, Any],
        *,
        add: Sequence[int],
        remove: Sequence[int],
    ) -> Group:
        """Another name or description; volumes that come and go. Raises Invalid, WrongStatus."""
        group = self.show(transaction, access, uuid)
        inside = {volume.id for volume in group.volumes}
        if values:
            transaction.execute(GROUP.update().where(GROUP.c.uuid == uuid).values(**values))
        for id in remove:
            if id not in inside:
                raise Invalid(field="remove_volumes", reason="names a volume that is not in the group")
            self._volumes.put(transaction, access, id, "leave-group", group_uuid=None)
        for id in add:
            volume = self._volumes.show(transaction, access, id, lock=True)
            if volume.group_uuid is not None or volume.policy_id not in group.policy_ids:
                raise Invalid(field="add_volumes", reason="names a volume of another group or type")
            if volume.status not in ("available", "in-use") or volume.project_id != group.project_id:
                raise WrongStatus(
                    what="volume", uuid=volume.uuid, verb="group", allowed="available", status=volume.status
                )
            self._volumes.put(transaction, access, id, "join-group", group_uuid=uuid)
        audit(transaction, access, "update", GROUP, uuid)
        return self.show(transaction, access, uuid)

    def delete(self, transaction: Transaction, access: Access, uuid: str, *, with_volumes: bool) -> None:
        """End a group. Raises Invalid while volumes of it are to stay, Conflict while it has moments."""
        group = self.show(transaction, access, uuid)
        if group.volumes and not with_volumes:
            raise Invalid(field="delete-volumes", reason="must be true for a group that is not empty")
        if self.moments.of_group(transaction, uuid):
            raise Conflict(reason=f"Invalid group: group {uuid} still has group snapshots")
        for volume in group.volumes:
            self._volumes.delete(transaction, access, volume.id, with_group=True)
        transaction.execute(delete(GROUP).where(GROUP.c.uuid == uuid))
        audit(transaction, access, "delete", GROUP, uuid)

    def set_condition(self, transaction: Transaction, access: Access, uuid: str, status: str | None) -> None:
        """What an administrator says that the status is, from now on; None ends it."""
        self.show(transaction, access, uuid)
        transaction.execute(GROUP.update().where(GROUP.c.uuid == uuid).values(condition=status))
        audit(transaction, access, "reset-status", GROUP, uuid)

    def snapshot(
        self,
        transaction: Transaction,
        access: Access,
        uuid: str,
        *,
        name: str | None,
        description: str | None,
    ) -> GroupSnapshot:
        """All volumes of a group at this moment. Raises WrongStatus, Invalid for an empty group."""
        group = self.show(transaction, access, uuid)
        return self.moments.take(
            transaction,
            access,
            [volume.id for volume in group.volumes],
            project_id=group.project_id,
            name=name,
            description=description,
            group_uuid=uuid,
        )

    def _group(self, transaction: Transaction, row: Mapping[str, Any]) -> Group:
        found = views.volumes(transaction, VOLUME_TRAITS.c.group_uuid == row["uuid"])
        return Group(**row, volumes=tuple(found))
