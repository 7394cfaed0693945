"""The volumes behind disks, asked of the storage domain. Called by the services of disks and machines."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from stratal.compute.vm_disk.model import VmDiskCreate, VmDiskUpdate
from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.storage import (
    MIB,
    BsVolumeClone,
    BsVolumeCreate,
    BsVolumeFlatten,
    BsVolumeRollback,
    BsVolumeUpdate,
    Storage,
)

_MOST_NAME: Final = 255

Volume = Resource[Any, Any]


class DiskVolumes:
    def __init__(self, storage: Storage) -> None:
        self._volumes = storage.bs_volumes
        self._snaps = storage.bs_snaps
        self._images = storage.images.service

    def volume_for(self, transaction: Transaction, access: Access, body: VmDiskCreate) -> tuple[Volume, bool]:
        """The volume that a disk is to be, locked, and whether it was made for it. Raises Invalid and what
        the creation of a volume raises.
        """
        if body.bs_volume_id is not msgspec.UNSET:
            return self._existing(transaction, access, body, body.bs_volume_id), False
        if body.vm_image_id is not msgspec.UNSET:
            size_mb, policy_id = self._of_image(transaction, access, body, body.vm_image_id)
        elif body.size_mb is msgspec.UNSET:
            raise Invalid(
                field="spec.bs_volume_id",
                reason="is needed, or vm_image_id for a disk of an image, or size_mb for an empty one",
            )
        else:
            size_mb, policy_id = body.size_mb, body.bs_policy_id
        if policy_id is msgspec.UNSET:
            raise Invalid(field="spec.bs_policy_id", reason="is needed to make a volume")
        wanted = BsVolumeCreate(
            name=body.name,
            description=body.description,
            bs_policy_id=policy_id,
            size_mb=size_mb,
            vm_image_id=None if body.vm_image_id is msgspec.UNSET else body.vm_image_id,
            max_total_iops=body.max_total_iops,
            max_total_bw_bps=body.max_total_bw_bps,
            creator=access.user_name[:_MOST_NAME],
        )
        return self._volumes.create(transaction, access, wanted), True

    def facts(self, volume: Volume) -> dict[str, Any]:
        """What a disk says as its volume does."""
        spec = volume.spec
        return {
            "size_mb": spec.size_mb,
            "max_total_iops": spec.max_total_iops,
            "max_total_bw_bps": spec.max_total_bw_bps,
        }

    def change(self, transaction: Transaction, access: Access, id: int, body: VmDiskUpdate) -> dict[str, Any]:
        """Change of a volume what the body says of it. Returns what a disk says as its volume does."""
        wanted = BsVolumeUpdate(
            size_mb=body.size_mb,
            max_total_iops=body.max_total_iops,
            max_total_bw_bps=body.max_total_bw_bps,
        )
        if wanted == BsVolumeUpdate():
            return {}
        return self.facts(self._volumes.update(transaction, access, id, wanted))

    def check_deletable(self, transaction: Transaction, id: int) -> None:
        """Raises Conflict while there are snapshots of the volume, which keep it from being deleted; those
        do not that are being deleted already."""
        columns = self._snaps.columns
        count = self._snaps.store.count(
            transaction, columns.bs_volume_id == id, columns.deletion_begin.is_(None)
        )
        if count:
            raise Conflict(
                reason=f"bs_volume {id}, which is to be deleted with its machine, still has"
                f" {count} snapshots: delete them first, or clear delete_volume_with_vm of its disk"
            )

    def are_flattened(self, transaction: Transaction, ids: Sequence[int]) -> bool:
        """Whether all of these are to share nothing with what they came from."""
        sharing = self._volumes.store.count(
            transaction, self._volumes.columns.id.in_(ids), self._volumes.columns.flattened.is_(False)
        )
        return not sharing

    def flatten(self, transaction: Transaction, access: Access, id: int) -> None:
        """Let a volume share nothing any more."""
        self._volumes.flatten(transaction, access, id, BsVolumeFlatten())

    def rollback(
        self, transaction: Transaction, access: Access, id: int, snap_id: int, *, ends_guest: bool = False
    ) -> None:
        """Let a volume hold again what it held at a snapshot of it: one of a stopped machine, or of one whose
        guest is ended for it."""
        body = BsVolumeRollback(bs_snap_id=snap_id)
        roll_back = self._volumes.roll_back if ends_guest else self._volumes.rollback
        roll_back(transaction, access, id, body)

    def clone_of_snapshot(
        self, transaction: Transaction, access: Access, snap_id: int, *, name: str, flatten: bool
    ) -> int:
        """A volume that starts as a snapshot is. Returns its id."""
        body = BsVolumeClone(
            name=name, bs_snap_id=snap_id, flatten=flatten, creator=access.user_name[:_MOST_NAME]
        )
        return self._volumes.clone(transaction, access, body).id

    def clone_of_volume(
        self, transaction: Transaction, access: Access, id: int, *, name: str, flatten: bool
    ) -> int:
        """A volume that starts as another one is at the moment of this transaction. Returns its id."""
        source = self._volumes.show(transaction, access, id)
        copy = self._volumes.copy(
            transaction, access, id, name=name, description="", size_mb=source.spec.size_mb
        )
        if flatten:
            self.flatten(transaction, access, copy.id)
        return copy.id

    def _existing(self, transaction: Transaction, access: Access, body: VmDiskCreate, id: int) -> Volume:
        for name in ("vm_image_id", "bs_policy_id", "size_mb"):
            if getattr(body, name) is not msgspec.UNSET:
                raise Invalid(
                    field=f"spec.{name}", reason="is for new volumes; bs_volume_id names one that exists"
                )
        field = "spec.bs_volume_id"
        volume = self._volumes.store.get(transaction, id, lock=True, labels=False)
        if volume is None or (access.reach is not Reach.ALL and volume.spec.project_id != access.project_id):
            raise Invalid(field=field, reason=f"there is no bs_volume {id}")
        if volume.spec.project_id != access.project_id:
            raise Invalid(field=field, reason=f"bs_volume {id} belongs to another project than its machine")
        if volume.spec.deletion_begin is not None:
            raise Conflict(reason=f"bs_volume {id} is being deleted")
        limits = {
            name: value
            for name in ("max_total_iops", "max_total_bw_bps")
            if (value := getattr(body, name)) is not msgspec.UNSET
        }
        if limits:
            return self._volumes.update(transaction, access, id, BsVolumeUpdate(**limits))
        return volume

    def _of_image(
        self, transaction: Transaction, access: Access, body: VmDiskCreate, image_id: int
    ) -> tuple[int, int]:
        """The size and the policy of a volume that starts as an image."""
        image = self._images.store.get(transaction, image_id, labels=False)
        if image is None or not (
            access.reach is Reach.ALL or image.spec.shared or image.spec.project_id == access.project_id
        ):
            raise Invalid(field="spec.vm_image_id", reason=f"there is no vm_image {image_id}")
        if image.spec.type != "disk":
            raise Invalid(
                field="spec.vm_image_id", reason=f"vm_image {image_id} is of a CD-ROM, not of a disk"
            )
        least = -(-image.status.size_byte // MIB)
        if body.size_mb is msgspec.UNSET and not least:
            raise Conflict(reason=f"vm_image {image_id} has no content yet: wait until it is active")
        return (
            least if body.size_mb is msgspec.UNSET else body.size_mb,
            image.spec.bs_policy_id if body.bs_policy_id is msgspec.UNSET else body.bs_policy_id,
        )
