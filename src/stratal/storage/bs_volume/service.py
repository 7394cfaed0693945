"""What may be asked of volumes. Called by faces.

Besides the specs it decides about the layer graph, in the same transaction: see `tree.disks`.
"""

from typing import Any

import msgspec

from stratal.kernel.access import Access
from stratal.kernel.actions import action
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.storage.bs_policy.model import BS_POLICY, BsPolicySpec
from stratal.storage.bs_policy.speed import check_speed
from stratal.storage.bs_snap.model import BS_SNAP, BsSnapSpec, BsSnapStatus
from stratal.storage.bs_volume.from_image import check_image
from stratal.storage.bs_volume.model import (
    BS_VOLUME,
    MIB,
    BsVolumeClone,
    BsVolumeCreate,
    BsVolumeFlatten,
    BsVolumeRollback,
    BsVolumeSpec,
    BsVolumeStatus,
    BsVolumeUpdate,
    DiskFormat,
)
from stratal.storage.bs_volume.quota import Quota
from stratal.storage.bs_volume.use import UseOf, ask_users
from stratal.storage.foreign import ForeignImages, Found
from stratal.storage.layers import NameKind
from stratal.storage.tree.disks import Disks
from stratal.storage.tree.rows import name_of
from stratal.storage.tree.waking import leave_to_tree

_MOST_NAMED = 5
#: what a body says of where a volume comes from, and its spec does not keep
_OF_SOURCE = ("path", "rbd_image", "format", "in_place", "found")

Volume = Resource[BsVolumeSpec, BsVolumeStatus]
Snapshot = Resource[BsSnapSpec, BsSnapStatus]


class _Found(BsVolumeCreate, kw_only=True):
    """A volume that comes from what was looked at already."""

    found: Found


class BsVolumeService(ResourceService[BsVolumeSpec, BsVolumeStatus]):
    create_body = BsVolumeCreate
    update_body = BsVolumeUpdate
    prepares = True  # what is to be imported is looked at

    def __init__(
        self, catalogue: Catalogue, disks: Disks, quota: Quota, use_of: UseOf, foreign: ForeignImages
    ) -> None:
        super().__init__(BS_VOLUME, catalogue)
        self._foreign = foreign
        self._disks = disks
        self._quota = quota
        self._use_of = use_of
        self._policies = Store(BS_POLICY)
        self._snapshots = Store(BS_SNAP)

    def prepare_create(self, access: Access, body: Any) -> Any:
        """Look at what is to be imported, before anything is written down."""
        if not isinstance(body, BsVolumeCreate) or (body.path is None and body.rbd_image is None):
            if isinstance(body, BsVolumeCreate) and body.in_place:
                raise Invalid(field="spec.in_place", reason="needs a path or an rbd_image")
            return body
        format = _format_of_source(body)
        found = self._foreign.find(
            access,
            body.bs_policy_id,
            path=body.path,
            rbd_image=body.rbd_image,
            format=format,
            in_place=body.in_place,
        )
        if found.size_bytes > body.size_mb * MIB:
            least = -(-found.size_bytes // MIB)
            raise Invalid(
                field="spec.size_mb",
                reason=f"it has {found.size_bytes} bytes: at least {least} MiB are needed",
            )
        return _Found(**msgspec.structs.asdict(body), found=found)

    def create(self, transaction: Transaction, access: Access, body: Any) -> Volume:
        """A new volume: empty, imported, an image's linked clone, or what a `BsVolumeClone` says."""
        volume = super().create(transaction, access, body)
        head, size_bytes = name_of(NameKind.HEAD, volume.id), volume.spec.size_mb * MIB
        if isinstance(body, BsVolumeClone):
            source = name_of(NameKind.SNAPSHOT, body.bs_snap_id)
            self._disks.clone(transaction, source, head, size_bytes=size_bytes)
        elif volume.spec.vm_image_id is not None:
            source = name_of(NameKind.IMAGE, volume.spec.vm_image_id)
            self._disks.clone(transaction, source, head, size_bytes=size_bytes)
        else:
            policy = self._policy(transaction, volume.spec.bs_policy_id)
            self._disks.create(
                transaction,
                head,
                called=volume.spec.name,
                policy_id=volume.spec.bs_policy_id,
                driver=policy.driver,
                place=policy.place,
                size_bytes=size_bytes,
                origin=body.found.origin if isinstance(body, _Found) else None,
            )
        leave_to_tree(transaction, volume)
        self._quota.project_changed(transaction, volume.spec.project_id)
        return volume

    def clone(self, transaction: Transaction, access: Access, body: BsVolumeClone) -> Volume:
        """A new volume that starts as a snapshot is."""
        return self.create(transaction, access, body)

    def new(self, transaction: Transaction, access: Access, body: Any) -> Change:
        spec: dict[str, Any] = (
            self._cloned(transaction, access, body) if isinstance(body, BsVolumeClone) else given(body)
        )
        for field in _OF_SOURCE:
            spec.pop(field, None)
        # first, for it may lock the policy, which the check of the references only shares
        self._quota.check(
            transaction,
            project_id=access.project_id,
            policy_id=spec["bs_policy_id"],
            more_mb=spec["size_mb"],
        )
        self._check_references(transaction, access, spec)
        policy = self._policy(transaction, spec["bs_policy_id"])
        if spec.get("vm_image_id") is not None:
            check_image(transaction, spec["vm_image_id"], policy=policy, size_bytes=spec["size_mb"] * MIB)
            spec["flattened"] = False
        spec = {
            "max_total_iops": policy.max_total_iops,
            "max_total_bw_bps": policy.max_total_bw_bps,
            "pool_id": policy.pool_id,
            "flattened": True,
            **spec,
            "loaded": False,
            "rollback_num": 0,
            # 20 characters are what virtio-blk shows a guest
            "serial": transaction.entropy.uuid().replace("-", "")[:20],
        }
        check_speed(spec)
        return spec

    def changed(
        self, transaction: Transaction, access: Access, resource: Volume, body: BsVolumeUpdate
    ) -> Change:
        spec = given(body)
        check_speed(spec)
        size_mb = spec.get("size_mb")
        if isinstance(size_mb, int) and size_mb != resource.spec.size_mb:
            self._grow(transaction, resource, size_mb)
        ask_users(transaction, self._use_of(transaction, resource.id))
        return spec

    def before_delete(self, transaction: Transaction, access: Access, resource: Volume) -> None:
        self._check_unused(transaction, resource, "deleted")
        self._quota.project_changed(transaction, resource.spec.project_id)
        columns = BS_SNAP.tables.spec.c
        names = [
            snapshot.spec.name
            for snapshot in self._snapshots.find(
                transaction, columns.bs_volume_id == resource.id, labels=False
            )
        ]
        if names:
            shown = ", ".join(names[:_MOST_NAMED])
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            raise Conflict(
                reason=f"bs_volume {resource.id} still has the snapshots {shown}{more}: delete them first"
            )

    @action("flatten", BsVolumeFlatten)
    def flatten(self, transaction: Transaction, access: Access, id: int, body: BsVolumeFlatten) -> Volume:
        """Copy into a volume all that it shares with what it was cloned from."""
        volume = self.changeable(transaction, access, id)
        return self.change(transaction, access, volume, "flatten", {"flattened": True})

    @action("rollback", BsVolumeRollback)
    def rollback(self, transaction: Transaction, access: Access, id: int, body: BsVolumeRollback) -> Volume:
        """Let a volume hold again what it held when a snapshot was taken. All snapshots stay."""
        self._check_closed(transaction, self.changeable(transaction, access, id))
        return self.roll_back(transaction, access, id, body)

    def roll_back(self, transaction: Transaction, access: Access, id: int, body: BsVolumeRollback) -> Volume:
        """As `rollback`, for who ends the guest that has the volume open before it sees what is new."""
        volume = self.changeable(transaction, access, id)
        snapshot = self._snapshot(transaction, access, body.bs_snap_id)
        if snapshot.spec.bs_volume_id != id:
            raise Invalid(
                field="spec.bs_snap_id", reason=f"bs_snap {snapshot.id} is not a snapshot of bs_volume {id}"
            )
        self._disks.rollback(
            transaction,
            name_of(NameKind.HEAD, id),
            name_of(NameKind.SNAPSHOT, snapshot.id),
            size_bytes=volume.spec.size_mb * MIB,
        )
        shares = snapshot.spec.creation_finish is not None and not snapshot.status.flattened
        change = {
            "rollback_bs_snap_id": snapshot.id,
            "rollback_num": volume.spec.rollback_num + 1,
            # a snapshot from before a flattening shares again what was shared then
            "flattened": volume.spec.flattened and not shares,
        }
        volume = self.change(transaction, access, volume, "rollback", change)
        leave_to_tree(transaction, volume)
        return volume

    # -- for faces whose dialects have them -----------------------------------------------------------

    def copy(
        self,
        transaction: Transaction,
        access: Access,
        source_id: int,
        *,
        name: str,
        description: str,
        size_mb: int,
    ) -> Volume:
        """A new volume that starts as another one is at this moment; at least as large."""
        source = self.changeable(transaction, access, source_id)
        body = BsVolumeCreate(
            name=name,
            description=description,
            bs_policy_id=source.spec.bs_policy_id,
            size_mb=size_mb,
            creator=access.user_name,
        )
        volume = super().create(transaction, access, body)
        # a name for the length of this transaction; no snapshot has a negative id
        moment = name_of(NameKind.SNAPSHOT, -volume.id)
        self._disks.snapshot(transaction, name_of(NameKind.HEAD, source_id), moment)
        self._disks.clone(transaction, moment, name_of(NameKind.HEAD, volume.id), size_bytes=size_mb * MIB)
        self._disks.drop(transaction, moment)
        volume = self.change(transaction, access, volume, "copy", {"flattened": False})
        leave_to_tree(transaction, volume)
        return volume

    def delete_with_snapshots(self, transaction: Transaction, access: Access, id: int) -> Volume:
        """Begin the deletion of a volume whose snapshots are all being deleted already."""
        volume = self.changeable(transaction, access, id)
        self._check_unused(transaction, volume, "deleted")
        columns = BS_SNAP.tables.spec.c
        left = self._snapshots.count(
            transaction, columns.bs_volume_id == id, columns.deletion_begin.is_(None)
        )
        if left:
            raise Conflict(reason=f"bs_volume {id} still has {left} snapshots: delete them first")
        self._quota.project_changed(transaction, volume.spec.project_id)
        self.store.mark(transaction, id, {"deletion_begin": transaction.now})
        return self.acted(transaction, access, volume, "delete", {})

    # -- what several of these need -------------------------------------------------------------------

    def _cloned(self, transaction: Transaction, access: Access, body: BsVolumeClone) -> dict[str, Any]:
        snapshot = self._snapshot(transaction, access, body.bs_snap_id)
        return {
            "name": body.name,
            "description": body.description,
            "creator": body.creator,
            "bs_snap_id": snapshot.id,
            "bs_policy_id": snapshot.spec.bs_policy_id,
            "size_mb": snapshot.spec.size_mb,
            "flattened": body.flatten,
        }

    def _snapshot(self, transaction: Transaction, access: Access, id: int) -> Snapshot:
        """A snapshot that the caller may use, held. Raises Invalid; Conflict while it is being deleted."""
        self._check_references(transaction, access, {"bs_snap_id": id})
        snapshot = self._snapshots.hold(transaction, id)
        if snapshot is None:
            raise Invalid(field="spec.bs_snap_id", reason=f"there is no bs_snap {id}")
        return snapshot

    def _policy(self, transaction: Transaction, id: int) -> BsPolicySpec:
        policy = self._policies.get(transaction, id, labels=False)
        if policy is None:
            raise Invalid(field="spec.bs_policy_id", reason=f"there is no bs_policy {id}")
        return policy.spec

    def _grow(self, transaction: Transaction, volume: Volume, size_mb: int) -> None:
        now_mb = volume.spec.size_mb
        if size_mb < now_mb:
            raise Invalid(
                field="spec.size_mb", reason=f"the volume has {now_mb} MiB, and volumes only ever grow"
            )
        self._quota.check(
            transaction,
            project_id=volume.spec.project_id,
            policy_id=volume.spec.bs_policy_id,
            more_mb=size_mb - now_mb,
        )
        self._quota.project_changed(transaction, volume.spec.project_id)
        self._disks.resize(transaction, name_of(NameKind.HEAD, volume.id), size_bytes=size_mb * MIB)

    def _check_closed(self, transaction: Transaction, volume: Volume) -> None:
        """Raises Conflict while a guest has the volume open, or is about to."""
        use = self._use_of(transaction, volume.id)
        if use is not None and use.keeper is not None:
            kind, id = use.keeper
            keeper: Store[Any, Any] = Store(self.catalogue[kind])
            keeper.hold(transaction, id)  # nobody starts the guest before this transaction ends
            use = self._use_of(transaction, volume.id)
        if use is not None and use.mapping_num:
            by = f"{use.mapping_num} have it open" if use.vm_disk_id is None else f"vm_disk {use.vm_disk_id}"
            raise Conflict(
                reason=f"bs_volume {volume.id} is open ({by}) and cannot be rolled back now: stop the guest"
            )

    def _check_unused(self, transaction: Transaction, volume: Volume, what: str) -> None:
        use = self._use_of(transaction, volume.id)
        if use is not None and use.vm_disk_id is not None:
            by = f"it is vm_disk {use.vm_disk_id}"
        elif use is not None and use.mapping_num:
            by = f"{use.mapping_num} have it open"
        else:
            return
        raise Conflict(reason=f"bs_volume {volume.id} is in use ({by}) and cannot be {what} now")


def _format_of_source(body: BsVolumeCreate) -> str:
    """In what format an image to import is. Raises Invalid for a body that contradicts itself."""
    named = [field for field in ("vm_image_id", "path", "rbd_image") if getattr(body, field) is not None]
    if len(named) > 1:
        raise Invalid(field=f"spec.{named[1]}", reason=f"cannot be given together with {named[0]}")
    if body.rbd_image is not None:
        if body.format not in (msgspec.UNSET, DiskFormat.RAW):
            raise Invalid(field="spec.format", reason="an RBD image is raw")
        return DiskFormat.RAW.value
    if not body.in_place:
        raise Invalid(
            field="spec.in_place",
            reason="a file becomes a volume in place; to copy it, import it as an image and make one of that",
        )
    if body.format is msgspec.UNSET:
        raise Invalid(field="spec.format", reason="is required for a file")
    return body.format.value
