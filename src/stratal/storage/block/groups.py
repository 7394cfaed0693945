"""Generic groups: volumes that are snapshotted at one moment. Called by faces.

A group snapshot is one decision over all layer graphs of its volumes, in one transaction: whatever is
written through Stratal is before it in all of them or in none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, select

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import Conflict, Invalid, NotFound
from stratal.kernel.journal import AuditStatus, record_audit
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.limits import LimitService
from stratal.storage.block.model import GROUP, GROUP_SNAPSHOT, GROUP_TYPE, SNAPSHOT_TRAITS, VOLUME_TRAITS
from stratal.storage.block.snapshots import BlockSnapshots
from stratal.storage.block.states import WrongStatus
from stratal.storage.block.traits import checked_metadata, put_volume
from stratal.storage.block.views import SnapshotView, VolumeView
from stratal.storage.block.volumes import BlockVolumes, NewVolume


@dataclass(frozen=True, kw_only=True)
class GroupType:
    """What groups there can be; its specs are for people to read."""

    uuid: str
    name: str
    description: str | None
    is_public: bool
    specs: dict[str, str]
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group and its volumes."""

    uuid: str
    project_id: int
    name: str | None
    description: str | None
    group_type_uuid: str
    policy_ids: list[int]
    created_at: datetime
    volumes: tuple[VolumeView, ...]

    @property
    def status(self) -> str:
        """As its volumes are: being made, in error, or available."""
        states = {volume.status for volume in self.volumes}
        return _word(states)


@dataclass(frozen=True, kw_only=True)
class GroupSnapshot:
    """One moment of a group."""

    uuid: str
    project_id: int
    group_uuid: str
    name: str | None
    description: str | None
    created_at: datetime
    snapshots: tuple[SnapshotView, ...]

    @property
    def status(self) -> str:
        states = {snapshot.status for snapshot in self.snapshots}
        return _word(states)


class GroupTypes:
    def all(self, transaction: Transaction, access: Access) -> list[GroupType]:
        where = [] if access.reach is Reach.ALL else [GROUP_TYPE.c.is_public.is_(True)]
        statement = select(GROUP_TYPE).where(*where).order_by(GROUP_TYPE.c.created_at.desc())
        return [GroupType(**row) for row in transaction.execute(statement).mappings()]

    def show(self, transaction: Transaction, access: Access, text: str) -> GroupType:
        """By id or name. Raises NotFound."""
        for found in self.all(transaction, access):
            if text in (found.uuid, found.name):
                return found
        raise NotFound(kind="group type", id=text)

    def create(
        self, transaction: Transaction, access: Access, name: str, description: str | None, *, is_public: bool
    ) -> GroupType:
        """Raises Conflict for a name that is taken."""
        if transaction.execute(select(GROUP_TYPE.c.uuid).where(GROUP_TYPE.c.name == name)).first():
            raise Conflict(reason=f"Group Type {name} already exists.")
        row: dict[str, Any] = {
            "uuid": transaction.entropy.uuid(),
            "name": name,
            "description": description,
            "is_public": is_public,
            "specs": {},
            "created_at": transaction.now,
        }
        transaction.execute(GROUP_TYPE.insert(), row)
        _audit(transaction, access, "create", GROUP_TYPE, row["uuid"])
        return GroupType(**row)

    def change(
        self, transaction: Transaction, access: Access, uuid: str, values: Mapping[str, Any]
    ) -> GroupType:
        found = self.show(transaction, access, uuid)
        changes = dict(values)
        if "specs" in changes:
            changes["specs"] = checked_metadata(changes["specs"], field="group_specs")
        if changes:
            transaction.execute(GROUP_TYPE.update().where(GROUP_TYPE.c.uuid == found.uuid).values(**changes))
        return self.show(transaction, access, found.uuid)

    def delete(self, transaction: Transaction, access: Access, uuid: str) -> None:
        """Raises Conflict while groups have it."""
        found = self.show(transaction, access, uuid)
        if transaction.execute(select(GROUP.c.uuid).where(GROUP.c.group_type_uuid == found.uuid)).first():
            raise Conflict(reason=f"Group type {found.uuid} is in use.")
        transaction.execute(delete(GROUP_TYPE).where(GROUP_TYPE.c.uuid == found.uuid))
        _audit(transaction, access, "delete", GROUP_TYPE, found.uuid)


class Groups:
    def __init__(self, volumes: BlockVolumes, snapshots: BlockSnapshots, limits: LimitService) -> None:
        self._volumes = volumes
        self._snapshots = snapshots
        self._limits = limits
        self.types = GroupTypes()

    # -- groups --------------------------------------------------------------------------------------

    def all(self, transaction: Transaction, access: Access, *, all_projects: bool = False) -> list[Group]:
        return [self._group(transaction, row) for row in _rows(transaction, GROUP, access, all_projects)]

    def show(self, transaction: Transaction, access: Access, uuid: str) -> Group:
        """Raises NotFound, also for another project's."""
        return self._group(transaction, _row(transaction, GROUP, access, uuid, "group"))

    def create(
        self,
        transaction: Transaction,
        access: Access,
        *,
        name: str | None,
        description: str | None,
        group_type_uuid: str,
        policy_ids: Sequence[int],
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
            "created_at": transaction.now,
        }
        transaction.execute(GROUP.insert(), row)
        _audit(transaction, access, "create", GROUP, uuid)
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
            moment = self.show_snapshot(transaction, access, group_snapshot_uuid)
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
        _audit(transaction, access, "update", GROUP, uuid)
        return self.show(transaction, access, uuid)

    def delete(self, transaction: Transaction, access: Access, uuid: str, *, with_volumes: bool) -> None:
        """End a group. Raises Invalid while volumes of it are to stay, Conflict while it has moments."""
        group = self.show(transaction, access, uuid)
        if group.volumes and not with_volumes:
            raise Invalid(field="delete-volumes", reason="must be true for a group that is not empty")
        if self._moments(transaction, GROUP_SNAPSHOT.c.group_uuid == uuid):
            raise Conflict(reason=f"Invalid group: group {uuid} still has group snapshots")
        for volume in group.volumes:
            self._volumes.delete(transaction, access, volume.id, with_group=True)
        transaction.execute(delete(GROUP).where(GROUP.c.uuid == uuid))
        _audit(transaction, access, "delete", GROUP, uuid)

    # -- moments -------------------------------------------------------------------------------------

    def all_snapshots(
        self, transaction: Transaction, access: Access, *, all_projects: bool = False
    ) -> list[GroupSnapshot]:
        rows = _rows(transaction, GROUP_SNAPSHOT, access, all_projects)
        return [self._moment(transaction, row) for row in rows]

    def show_snapshot(self, transaction: Transaction, access: Access, uuid: str) -> GroupSnapshot:
        """Raises NotFound, also for another project's."""
        return self._moment(transaction, _row(transaction, GROUP_SNAPSHOT, access, uuid, "group snapshot"))

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
        if not group.volumes:
            raise Invalid(field="group_id", reason="names a group without volumes")
        moment = transaction.entropy.uuid()
        row = {
            "uuid": moment,
            "project_id": group.project_id,
            "group_uuid": uuid,
            "name": name,
            "description": description,
            "created_at": transaction.now,
        }
        transaction.execute(GROUP_SNAPSHOT.insert(), row)
        # always in one order, so that two of them never wait for each other's graphs
        for volume in sorted(group.volumes, key=lambda each: each.id):
            self._snapshots.create(
                transaction,
                access,
                volume_id=volume.id,
                name=name,
                description=description,
                metadata={},
                verb="snapshot-attached",
                group_snapshot_uuid=moment,
            )
        _audit(transaction, access, "create", GROUP_SNAPSHOT, moment)
        return self.show_snapshot(transaction, access, moment)

    def delete_snapshot(self, transaction: Transaction, access: Access, uuid: str) -> None:
        """Let go of a moment, with all of its snapshots. Raises WrongStatus."""
        moment = self.show_snapshot(transaction, access, uuid)
        for snapshot in moment.snapshots:
            self._snapshots.delete(transaction, access, snapshot.id, with_group=True)
        transaction.execute(delete(GROUP_SNAPSHOT).where(GROUP_SNAPSHOT.c.uuid == uuid))
        _audit(transaction, access, "delete", GROUP_SNAPSHOT, uuid)

    def _group(self, transaction: Transaction, row: Mapping[str, Any]) -> Group:
        found = views.volumes(transaction, VOLUME_TRAITS.c.group_uuid == row["uuid"])
        return Group(**row, volumes=tuple(found))

    def _moment(self, transaction: Transaction, row: Mapping[str, Any]) -> GroupSnapshot:
        found = views.snapshots(transaction, SNAPSHOT_TRAITS.c.group_snapshot_uuid == row["uuid"])
        return GroupSnapshot(**row, snapshots=tuple(found))

    def _moments(self, transaction: Transaction, *where: ColumnElement[bool]) -> bool:
        return transaction.execute(select(GROUP_SNAPSHOT.c.uuid).where(*where)).first() is not None


def _rows(
    transaction: Transaction, table: Table, access: Access, all_projects: bool
) -> Sequence[Mapping[str, Any]]:
    where = [] if all_projects and access.reach is Reach.ALL else [table.c.project_id == access.project_id]
    statement = select(table).where(*where).order_by(table.c.created_at.desc())
    return [dict(row) for row in transaction.execute(statement).mappings()]


def _row(transaction: Transaction, table: Table, access: Access, uuid: str, what: str) -> Mapping[str, Any]:
    row = transaction.execute(select(table).where(table.c.uuid == uuid)).mappings().first()
    if row is None or (access.reach is not Reach.ALL and row["project_id"] != access.project_id):
        raise NotFound(kind=what, id=uuid)
    return dict(row)


def _word(states: set[str]) -> str:
    if "error" in states:
        return "error"
    if states & {"creating", "downloading"}:
        return "creating"
    return "available"


def _audit(transaction: Transaction, access: Access, action: str, table: Table, uuid: str) -> None:
    record_audit(
        transaction,
        access,
        action,
        resource_type=table.name,
        resource_name=uuid,
        status=AuditStatus.SUCCEEDED,
    )
