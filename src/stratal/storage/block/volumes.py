"""What may be asked of volumes in these dialects. Called by faces."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, func, select

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import Invalid, NotFound
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.limits import LimitService
from stratal.storage.block.model import ATTACHMENT, MB_PER_GB, TRANSFER, UNNAMED
from stratal.storage.block.snapshots import BlockSnapshots, named
from stratal.storage.block.states import VolumeStatus, WrongStatus, check_snapshot, check_volume
from stratal.storage.block.traits import checked_metadata, put_volume
from stratal.storage.block.types import VolumeTypes
from stratal.storage.block.views import VolumeView
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_volume.model import (
    BS_VOLUME,
    BsVolumeClone,
    BsVolumeCreate,
    BsVolumeRollback,
    BsVolumeUpdate,
)
from stratal.storage.bs_volume.service import BsVolumeService
from stratal.storage.vm_image.model import VM_IMAGE


@dataclass(frozen=True, kw_only=True)
class NewVolume:
    """What a client says of a new volume. At most one of the three sources is given."""

    name: str | None = None
    description: str | None = None
    size_gb: int | None = None
    policy_id: int | None = None
    snapshot_id: int | None = None
    source_volume_id: int | None = None
    image_id: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    multiattach: bool = False
    group_uuid: str | None = None
    #: operations, and bytes, of a second; None: as the type has it, 0: no limit
    iops: int | None = None
    bytes_per_second: int | None = None


class BlockVolumes:
    """Volumes with metadata and a status. The volumes themselves are those of `BsVolumeService`."""

    def __init__(
        self,
        volumes: BsVolumeService,
        snapshots: BlockSnapshots,
        types: VolumeTypes,
        limits: LimitService,
    ) -> None:
        self._volumes = volumes
        self._snapshots = snapshots
        self._types = types
        self._limits = limits

    # -- reading -------------------------------------------------------------------------------------

    def within(self, access: Access, *, all_projects: bool = False) -> list[ColumnElement[bool]]:
        """The condition for the volumes that a list may show."""
        if all_projects and access.reach is Reach.ALL:
            return []
        return [BS_VOLUME.tables.spec.c.project_id == access.project_id]

    def show(self, transaction: Transaction, access: Access, id: int, *, lock: bool = False) -> VolumeView:
        """Raises NotFound, also for a volume of another project."""
        self._volumes.show(transaction, access, id, lock=lock)
        found = views.volume(transaction, id)
        if found is None:
            raise NotFound(kind="bs_volume", id=id)
        return found

    # -- making and ending ---------------------------------------------------------------------------

    def create(self, transaction: Transaction, access: Access, new: NewVolume) -> VolumeView:
        """A volume: empty, or with what a snapshot, a volume or an image holds.

        Raises Invalid, NotFound, WrongStatus, LimitReached, QuotaExceeded.
        """
        metadata = checked_metadata(new.metadata)
        sources = (new.snapshot_id, new.source_volume_id, new.image_id)
        if sum(source is not None for source in sources) > 1:
            raise Invalid(field="volume", reason="at most one of snapshot, source volume and image is given")
        self._limits.check(transaction, access.project_id, "volumes", size_gb=new.size_gb or 0)
        if new.source_volume_id is not None:
            id = self._copied(transaction, access, new, new.source_volume_id)
        elif new.snapshot_id is not None:
            id = self._cloned(transaction, access, new, new.snapshot_id)
        else:
            id = self._made(transaction, access, new)
        put_volume(
            transaction,
            id,
            metadata=metadata,
            multiattach=new.multiattach,
            source_volume_id=new.source_volume_id,
            user_id=access.user_id,
            bootable=new.image_id is not None,
            group_uuid=new.group_uuid,
        )
        if new.iops is not None or new.bytes_per_second is not None:
            return self.set_speed(transaction, access, id, new.iops, new.bytes_per_second)
        return self.show(transaction, access, id)

    def delete(
        self,
        transaction: Transaction,
        access: Access,
        id: int,
        *,
        cascade: bool = False,
        force: bool = False,
        with_group: bool = False,
    ) -> None:
        """Begin the deletion, `cascade`: with all snapshots, `force`: whatever the status says.

        Raises WrongStatus for a volume that is attached, has snapshots or is in a group.
        """
        volume = self.show(transaction, access, id, lock=True)
        if not force and not with_group:
            check_volume("delete", status=volume.status, uuid=volume.uuid)
        if volume.attachments:
            self._refuse(volume, "delete", "detached")
        if volume.group_uuid is not None and not with_group:
            self._refuse(volume, "delete", "in no group")
        snapshots = views.snapshots(transaction, BS_SNAP.tables.spec.c.bs_volume_id == id)
        if snapshots and not cascade:
            self._refuse(volume, "delete", "without snapshots")
        transaction.execute(TRANSFER.delete().where(TRANSFER.c.volume_id == id))
        if not snapshots:
            self._volumes.delete(transaction, access, id)
            return
        for snapshot in snapshots:
            if snapshot.status != "deleting":
                self._snapshots.delete(transaction, access, snapshot.id, with_group=with_group)
        self._volumes.delete_with_snapshots(transaction, access, id)

    # -- changing ------------------------------------------------------------------------------------

    def update(
        self, transaction: Transaction, access: Access, id: int, changes: Mapping[str, str | None]
    ) -> VolumeView:
        """Another name or description."""
        self._volumes.update(transaction, access, id, BsVolumeUpdate(**named(changes)))
        return self.show(transaction, access, id)

    def extend(
        self, transaction: Transaction, access: Access, id: int, size_gb: int, *, attached: bool
    ) -> VolumeView:
        """Grow to so many GiB; `attached`: also while in use. Raises WrongStatus, Invalid, QuotaExceeded."""
        volume = self.show(transaction, access, id, lock=True)
        verb = "extend-attached" if attached and not volume.multiattach else "extend"
        check_volume(verb, status=volume.status, uuid=volume.uuid)
        if size_gb * MB_PER_GB <= volume.size_mb:
            raise Invalid(
                field="new_size",
                reason=f"must be greater than the current size. (current: {volume.size_gb}, new: {size_gb})",
            )
        self._limits.check(transaction, volume.project_id, "volumes", more=0, size_gb=size_gb)
        self._volumes.update(transaction, access, id, BsVolumeUpdate(size_mb=size_gb * MB_PER_GB))
        return self.show(transaction, access, id)

    def revert(
        self, transaction: Transaction, access: Access, id: int, snapshot_id: int, *, latest_only: bool
    ) -> VolumeView:
        """Let a volume hold again what it held. Nothing is changed unless all of it can be.

        Raises WrongStatus; Invalid for a snapshot of another volume, or, with `latest_only`, an older one.
        """
        volume = self.show(transaction, access, id, lock=True)
        columns = BS_SNAP.tables.spec.c
        snapshot = views.snapshots(transaction, columns.bs_volume_id == id, columns.id == snapshot_id)
        newest = transaction.execute(
            select(func.max(columns.id)).where(columns.bs_volume_id == id, columns.deleted_at.is_(None))
        ).scalar()
        if not snapshot or (latest_only and newest != snapshot_id):
            raise Invalid(field="snapshot_id", reason="is none, or not the latest one, of this volume")
        check_volume("revert", status=volume.status, uuid=volume.uuid)
        check_snapshot("revert", status=snapshot[0].status, uuid=snapshot[0].uuid)
        if latest_only and snapshot[0].size_gb != volume.size_gb:
            raise Invalid(field="snapshot_id", reason="has another size than the volume")
        self._volumes.rollback(transaction, access, id, BsVolumeRollback(bs_snap_id=snapshot_id))
        return self.show(transaction, access, id)

    def retype(self, transaction: Transaction, access: Access, id: int, policy_id: int) -> VolumeView:
        """Another type in the same place. Raises WrongStatus; Invalid where the data would have to move."""
        volume = self.show(transaction, access, id, lock=True)
        check_volume("retype", status=volume.status, uuid=volume.uuid)
        self._types.check_same_place(transaction, volume.policy_id, policy_id)
        self._types.check_usable(transaction, policy_id)
        if volume.group_uuid is not None:
            self._refuse(volume, "retype", "in no group")
        resource = self._volumes.changeable(transaction, access, id)
        self._volumes.change(transaction, access, resource, "retype", {"bs_policy_id": policy_id})
        return self.show(transaction, access, id)

    def set_speed(
        self,
        transaction: Transaction,
        access: Access,
        id: int,
        iops: int | None,
        bytes_per_second: int | None,
    ) -> VolumeView:
        """Limit how fast a volume is; None: as it was, 0: no limit. Raises Invalid."""
        body = BsVolumeUpdate(
            max_total_iops=msgspec.UNSET if iops is None else iops,
            max_total_bw_bps=msgspec.UNSET if bytes_per_second is None else bytes_per_second,
        )
        self._volumes.update(transaction, access, id, body)
        return self.show(transaction, access, id)

    def set_metadata(
        self, transaction: Transaction, access: Access, id: int, pairs: Mapping[str, str], *, replace: bool
    ) -> dict[str, str]:
        """Add these pairs to the metadata, or put them in its place."""
        volume = self.show(transaction, access, id, lock=True)
        merged = checked_metadata(pairs if replace else {**volume.metadata, **pairs})
        self.put(transaction, access, id, "set-metadata", metadata=merged)
        return merged

    def drop_metadata(self, transaction: Transaction, access: Access, id: int, key: str) -> None:
        """Remove a pair. Raises NotFound."""
        volume = self.show(transaction, access, id, lock=True)
        if key not in volume.metadata:
            raise NotFound(kind="metadata", id=key)
        left = {name: value for name, value in volume.metadata.items() if name != key}
        self.put(transaction, access, id, "set-metadata", metadata=left)

    def set_image_metadata(
        self, transaction: Transaction, access: Access, id: int, pairs: Mapping[str, str]
    ) -> dict[str, str]:
        """Add these pairs to what is known of the image that the volume came from."""
        volume = self.show(transaction, access, id, lock=True)
        merged = checked_metadata({**volume.image_metadata, **pairs})
        self.put(transaction, access, id, "set-image-metadata", image_metadata=merged)
        return merged

    def drop_image_metadata(self, transaction: Transaction, access: Access, id: int, key: str) -> None:
        """Remove a pair. Raises NotFound."""
        volume = self.show(transaction, access, id, lock=True)
        if key not in volume.image_metadata:
            raise NotFound(kind="metadata", id=key)
        left = {name: value for name, value in volume.image_metadata.items() if name != key}
        self.put(transaction, access, id, "set-image-metadata", image_metadata=left)

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
        self.put(transaction, access, id, "set-tags", tags=tags)

    def set_condition(
        self,
        transaction: Transaction,
        access: Access,
        id: int,
        status: VolumeStatus | None,
        *,
        detached: bool = False,
    ) -> None:
        """What an administrator says that the status is, from now on; `available` ends it."""
        self.show(transaction, access, id, lock=True)
        if detached:
            transaction.execute(ATTACHMENT.delete().where(ATTACHMENT.c.volume_id == id))
        condition = None if status is None or status is VolumeStatus.AVAILABLE else status.value
        self.put(transaction, access, id, "reset-status", condition=condition)

    def put(self, transaction: Transaction, access: Access, id: int, action: str, **values: Any) -> None:
        """Set columns beside the volume, and write down who did."""
        put_volume(transaction, id, **values)
        resource = self._volumes.show(transaction, access, id)
        self._volumes.acted(transaction, access, resource, action, values)

    # -- what several of these need ------------------------------------------------------------------

    def _made(self, transaction: Transaction, access: Access, new: NewVolume) -> int:
        if new.size_gb is None:
            raise Invalid(field="size", reason="is needed for a volume that is not a copy")
        policy_id = new.policy_id
        if policy_id is None and new.image_id is not None:
            policy_id = self._policy_of_image(transaction, new.image_id)
        policy_id = policy_id or self._types.default(transaction, access.project_id)
        self._types.check_usable(transaction, policy_id)
        body = BsVolumeCreate(
            name=new.name or UNNAMED,
            description=new.description or "",
            bs_policy_id=policy_id,
            size_mb=new.size_gb * MB_PER_GB,
            vm_image_id=new.image_id,
            creator=access.user_name[:255],
        )
        return self._volumes.create(transaction, access, body).id

    def _policy_of_image(self, transaction: Transaction, image_id: int) -> int | None:
        columns = VM_IMAGE.tables.spec.c
        return transaction.execute(select(columns.bs_policy_id).where(columns.id == image_id)).scalar()

    def _cloned(self, transaction: Transaction, access: Access, new: NewVolume, snapshot_id: int) -> int:
        snapshot = self._snapshots.show(transaction, access, snapshot_id)
        check_snapshot("clone", status=snapshot.status, uuid=snapshot.uuid)
        size_gb = new.size_gb if new.size_gb is not None else snapshot.size_gb
        if size_gb < snapshot.size_gb:
            raise Invalid(
                field="size",
                reason=f"{size_gb}GB cannot be smaller than the snapshot size {snapshot.size_gb}GB",
            )
        body = BsVolumeClone(
            name=new.name or UNNAMED,
            description=new.description or "",
            bs_snap_id=snapshot_id,
            flatten=False,
            creator=access.user_name[:255],
        )
        made = self._volumes.clone(transaction, access, body)
        self._types.check_usable(transaction, made.spec.bs_policy_id)
        if new.policy_id is not None and new.policy_id != made.spec.bs_policy_id:
            raise Invalid(field="volume_type", reason="must be that of the snapshot")
        if size_gb * MB_PER_GB > made.spec.size_mb:
            self._volumes.update(transaction, access, made.id, BsVolumeUpdate(size_mb=size_gb * MB_PER_GB))
        return made.id

    def _copied(self, transaction: Transaction, access: Access, new: NewVolume, source_id: int) -> int:
        """Of a volume as it is now: through a snapshot that is let go at once."""
        source = self.show(transaction, access, source_id, lock=True)
        check_volume("clone", status=source.status, uuid=source.uuid)
        self._types.check_usable(transaction, source.policy_id)
        if new.size_gb is not None and new.size_gb < source.size_gb:
            raise Invalid(
                field="size",
                reason=f"clones must be at least as large as the source volume of {source.size_gb}GB",
            )
        return self._volumes.copy(
            transaction,
            access,
            source_id,
            name=new.name or UNNAMED,
            description=new.description or "",
            size_mb=(new.size_gb or source.size_gb) * MB_PER_GB,
        ).id

    @staticmethod
    def _refuse(volume: VolumeView, verb: str, allowed: str) -> None:
        raise WrongStatus(what="volume", uuid=volume.uuid, verb=verb, allowed=allowed, status=volume.status)
