"""What may be asked of images. Called by faces, and by the intake and the reconciler for what they find out.

An image is a name of a frozen layer. One that is made of a snapshot has it at once; one that is uploaded or
copied gets it when all of it has arrived and was found good (`accept`).
"""

import msgspec
from sqlalchemy import ColumnElement, or_, select

from stratal.kernel import work
from stratal.kernel.access import Access, Reach
from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from stratal.kernel.fields import UpdateSpec, given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.storage.bs_policy.model import BS_POLICY, BsPolicySpec
from stratal.storage.bs_policy.service import FIRST_POLICY
from stratal.storage.drivers.contract import Location, Source
from stratal.storage.foreign import ForeignImages, Found
from stratal.storage.images import ImageFormat
from stratal.storage.layers import NameKind
from stratal.storage.tree import rows
from stratal.storage.tree.disks import Disks
from stratal.storage.tree.rows import name_of
from stratal.storage.vm_image.errors import NoUploadDue, UploadBusy
from stratal.storage.vm_image.kept_disk import KeptDiskOf
from stratal.storage.vm_image.model import (
    VM_IMAGE,
    ImageType,
    VmImageCreate,
    VmImagePrivate,
    VmImageSpec,
    VmImageStatus,
    VmImageUpdate,
)
from stratal.storage.vm_image.spool import Spool

Image = Resource[VmImageSpec, VmImageStatus]

_SOURCES = ("bs_snap_id", "vm_snap_id", "vm_disk_snap_id", "path", "rbd_image")
_NOTHING_ARRIVED = msgspec.structs.asdict(VmImagePrivate())


class _Found(VmImageCreate, kw_only=True):
    """An image that comes from what was looked at already."""

    found: Found


class VmImageService(ResourceService[VmImageSpec, VmImageStatus]):
    create_body = VmImageCreate
    update_body = VmImageUpdate
    prepares = True  # what is to be imported is looked at

    def __init__(
        self,
        catalogue: Catalogue,
        database: Database,
        disks: Disks,
        spool: Spool,
        foreign: ForeignImages,
        kept_disk_of: KeptDiskOf,
    ) -> None:
        super().__init__(VM_IMAGE, catalogue)
        self._database = database
        self._foreign = foreign
        self._kept_disk_of = kept_disk_of
        self._disks = disks
        self._spool = spool
        self._policies = Store(BS_POLICY)
        self._private = select(*(self.columns[name] for name in VmImagePrivate.__struct_fields__)).where(
            self.columns.deleted_at.is_(None)
        )

    # -- who may ---------------------------------------------------------------------------------------

    def own(self, access: Access) -> ColumnElement[bool]:
        """Those of the project, and those that others share."""
        return or_(self.columns.project_id == access.project_id, self.columns.shared.is_(True))

    def show(self, transaction: Transaction, access: Access, id: int, *, lock: bool = False) -> Image:
        """As everywhere; but what another project shares is there to be read (`lock` is for changes)."""
        image = super().show(transaction, access, id, lock=lock)
        if lock and access.reach is not Reach.ALL and image.spec.project_id != access.project_id:
            raise Forbidden(verb="change", kind="images of another project")
        return image

    # -- creating --------------------------------------------------------------------------------------

    def prepare_create(self, access: Access, body: VmImageCreate) -> VmImageCreate:
        """Look at what is to be imported, before anything is written down."""
        _check_sources(body)
        if body.path is None and body.rbd_image is None:
            return body
        if body.path is not None and not body.in_place:  # the intake copies it, with its links in view
            self._foreign.forbid(access)
            self._foreign.imports.check(body.path)
            return body
        _check_type(body.type, _format(body))
        found = self._foreign.find(
            access,
            self._database.read(lambda tx: self._policy_id(tx, body)),
            path=body.path,
            rbd_image=body.rbd_image,
            format="raw" if body.rbd_image is not None else _format(body).value,
            in_place=body.in_place,
        )
        return _Found(**msgspec.structs.asdict(body), found=found)

    def create(self, transaction: Transaction, access: Access, body: VmImageCreate) -> Image:
        body = self._of_kept_disk(transaction, access, body)
        image = super().create(transaction, access, body)
        name = name_of(NameKind.IMAGE, image.id)
        if body.bs_snap_id is not None:
            self._disks.share(transaction, name_of(NameKind.SNAPSHOT, body.bs_snap_id), name)
        elif isinstance(body, _Found):
            self._make_layer(transaction, image, body.found.size_bytes, body.found.origin)
        return image

    def of_volume(
        self, transaction: Transaction, access: Access, volume_id: int, body: VmImageCreate
    ) -> Image:
        """An image of what a volume holds at the moment of this transaction. Kept where the volume is."""
        image = super().create(transaction, access, body)
        # a name for the length of this transaction; no snapshot has a negative id
        moment = name_of(NameKind.SNAPSHOT, -image.id)
        self._disks.snapshot(transaction, name_of(NameKind.HEAD, volume_id), moment)
        self._disks.share(transaction, moment, name_of(NameKind.IMAGE, image.id))
        self._disks.drop(transaction, moment)
        return image

    def new(self, transaction: Transaction, access: Access, body: VmImageCreate) -> Change:
        format = _format(body)
        _check_type(body.type, format)
        if body.bs_snap_id is not None:
            policy_id = self._policy_of_snapshot(transaction, access, body)
        else:
            policy_id = self._policy_id(transaction, body)
        return {
            "name": body.name,
            "description": body.description,
            "type": body.type,
            "format": format,
            "os_release_id": body.os_release_id,
            "size_byte": body.size_byte,
            "checksum": None if body.checksum is None else body.checksum.lower(),
            "bs_policy_id": policy_id,
            "shared": body.shared,
            "bs_snap_id": body.bs_snap_id,
            "vm_snap_id": body.vm_snap_id,
            **_NOTHING_ARRIVED,
            "import_path": body.path or "",
            "in_place": body.in_place,
        }

    def changed(self, transaction: Transaction, access: Access, resource: Image, body: UpdateSpec) -> Change:
        return given(body)

    # -- what arrives ----------------------------------------------------------------------------------

    def arrival(self, transaction: Transaction, id: int) -> VmImagePrivate:
        """What is known of the content on its way. Raises NotFound."""
        row = transaction.execute(self._private.where(self.columns.id == id)).first()
        if row is None:
            raise NotFound(kind=VM_IMAGE.name, id=id)
        return VmImagePrivate(**dict(zip(VmImagePrivate.__struct_fields__, row, strict=True)))

    def uploadable(self, transaction: Transaction, access: Access, id: int) -> tuple[Image, VmImagePrivate]:
        """The image, if an upload of it may begin or go on. Raises NotFound, Forbidden, Conflict."""
        image = self.changeable(transaction, access, id)
        arrival = self.arrival(transaction, id)
        if image.spec.bs_snap_id is not None:
            raise NoUploadDue(id=id, reason="it is made of a snapshot")
        if arrival.import_path:
            raise NoUploadDue(id=id, reason="it is imported from a file")
        if self._has_layer(transaction, id):
            raise NoUploadDue(id=id, reason="all of it was uploaded already")
        if arrival.complete:
            raise UploadBusy(id=id)
        return image, arrival

    def has_arrived(
        self, transaction: Transaction, access: Access, id: int, *, last: int, total: int | None
    ) -> Image | None:
        """The image, if all of it is here and this was its last piece, which its client may send again."""
        image = self.changeable(transaction, access, id)
        arrival = self.arrival(transaction, id)
        size = arrival.arrived_byte
        ours = arrival.complete and not arrival.import_path
        return image if ours and last + 1 == size and total in (None, size) else None

    def note_arrived(
        self, transaction: Transaction, id: int, *, arrived_byte: int, expected_byte: int
    ) -> None:
        """So much is safe now. Raises NotFound and Conflict when the image is on its way out."""
        self._expecting(transaction, id)
        self.store.mark(
            transaction,
            id,
            {**_NOTHING_ARRIVED, "arrived_byte": arrived_byte, "expected_byte": expected_byte},
        )
        work.ask(transaction, VM_IMAGE.name, id)

    def note_complete(
        self, transaction: Transaction, id: int, *, arrived_byte: int, access: Access | None = None
    ) -> None:
        """All of it is safe; from now on it is checked and taken in, whatever happens. Raises as above."""
        image = self._expecting(transaction, id)
        self.store.mark(
            transaction,
            id,
            {"arrived_byte": arrived_byte, "expected_byte": arrived_byte, "complete": True, "refusal": ""},
        )
        if access is None:
            work.ask(transaction, VM_IMAGE.name, id)
        else:
            self.acted(transaction, access, image, "upload", {"size_byte": arrived_byte})

    def accept(self, transaction: Transaction, id: int, *, virtual_size_bytes: int, sha256: str) -> None:
        """What arrived is good: have it put where images are kept. Raises NotFound and Conflict."""
        image = self._expecting(transaction, id)
        if self._has_layer(transaction, id):
            return
        # an ISO image is a raw disk to QEMU, and is inspected as what it was said to be
        source = Source.file(self._spool.path(id), format=image.spec.format.value)
        self._make_layer(transaction, image, virtual_size_bytes, source)
        self.store.mark(transaction, id, {"sha256": sha256})
        work.ask(transaction, VM_IMAGE.name, id)

    def refuse(self, transaction: Transaction, id: int, reason: str) -> None:
        """What arrived is no good, and is forgotten. Done already if the image is on its way out."""
        image = self.store.get(transaction, id, lock=True, labels=False)
        if image is None or image.spec.deletion_begin is not None:
            return
        arrival = self.arrival(transaction, id)
        self._disks.drop(transaction, name_of(NameKind.IMAGE, id))
        kept = {"import_path": arrival.import_path, "in_place": arrival.in_place}
        self.store.mark(transaction, id, {**_NOTHING_ARRIVED, **kept, "refusal": reason})
        work.ask(transaction, VM_IMAGE.name, id)

    # -- what several of these need --------------------------------------------------------------------

    def _expecting(self, transaction: Transaction, id: int) -> Image:
        image = self.store.get(transaction, id, lock=True, labels=False)
        if image is None:
            raise NotFound(kind=VM_IMAGE.name, id=id)
        if image.spec.deletion_begin is not None:
            raise Conflict(reason=f"vm_image {id} is being deleted")
        return image

    def _has_layer(self, transaction: Transaction, id: int) -> bool:
        return rows.tree_of(transaction, name_of(NameKind.IMAGE, id)) is not None

    def _make_layer(
        self, transaction: Transaction, image: Image, size_bytes: int, origin: Source | Location
    ) -> None:
        policy = self._policy(transaction, image.spec.bs_policy_id)
        self._disks.create(
            transaction,
            name_of(NameKind.IMAGE, image.id),
            called=image.spec.name,
            policy_id=image.spec.bs_policy_id,
            driver=policy.driver,
            place=policy.place,
            size_bytes=size_bytes,
            origin=origin,
        )

    def _policy(self, transaction: Transaction, id: int) -> BsPolicySpec:
        policy = self._policies.get(transaction, id, labels=False)
        if policy is None:
            raise Invalid(field="spec.bs_policy_id", reason=f"there is no bs_policy {id}")
        return policy.spec

    def _policy_id(self, transaction: Transaction, body: VmImageCreate) -> int:
        """The policy that was named, or the one that every installation starts with."""
        if body.bs_policy_id is not msgspec.UNSET:
            return body.bs_policy_id
        columns = BS_POLICY.tables.spec.c
        first = self._policies.find(transaction, columns.name == FIRST_POLICY, labels=False)
        if not first:
            raise Invalid(
                field="spec.bs_policy_id", reason=f"is required: no policy is called {FIRST_POLICY}"
            )
        return first[0].id

    def _of_kept_disk(self, transaction: Transaction, access: Access, body: VmImageCreate) -> VmImageCreate:
        """A body that names a disk in a snapshot of a machine names that of its volume from here on."""
        if body.vm_snap_id is None and body.vm_disk_snap_id is None:
            return body
        field = "vm_snap_id" if body.vm_disk_snap_id is None else "vm_disk_snap_id"
        kept = self._kept_disk_of(transaction, body.vm_snap_id, body.vm_disk_snap_id)
        named = getattr(body, field)
        unknown = Invalid(field=f"spec.{field}", reason=f"there is no {field.removesuffix('_id')} {named}")
        if kept is None:
            if body.vm_disk_snap_id is None:
                self._check_references(transaction, access, {"vm_snap_id": body.vm_snap_id})
                raise Invalid(field="spec.vm_snap_id", reason=f"vm_snap {body.vm_snap_id} has no disk")
            raise unknown
        try:
            self._check_references(transaction, access, {"vm_snap_id": kept.vm_snap_id})
        except Invalid:
            raise unknown from None
        if body.vm_snap_id not in (None, kept.vm_snap_id):
            raise Invalid(
                field="spec.vm_disk_snap_id",
                reason=f"vm_disk_snap {named} is not in vm_snap {body.vm_snap_id}",
            )
        return msgspec.structs.replace(
            body, bs_snap_id=kept.bs_snap_id, vm_snap_id=kept.vm_snap_id, vm_disk_snap_id=None
        )

    def _policy_of_snapshot(self, transaction: Transaction, access: Access, body: VmImageCreate) -> int:
        self._check_references(transaction, access, {"bs_snap_id": body.bs_snap_id})
        snapshot = Store(self.catalogue["bs_snap"]).hold(transaction, body.bs_snap_id or 0)
        if snapshot is None:
            raise Invalid(field="spec.bs_snap_id", reason=f"there is no bs_snap {body.bs_snap_id}")
        policy_id: int = snapshot.spec.bs_policy_id
        if body.bs_policy_id not in (msgspec.UNSET, policy_id):
            raise Invalid(
                field="spec.bs_policy_id",
                reason=f"an image of a snapshot is kept where that is, by bs_policy {policy_id}",
            )
        return policy_id


def _format(body: VmImageCreate) -> ImageFormat:
    if body.format is not msgspec.UNSET:
        return body.format
    if body.type is ImageType.ISO:
        return ImageFormat.ISO
    if body.bs_snap_id is not None or body.rbd_image is not None:
        return ImageFormat.RAW
    raise Invalid(field="spec.format", reason="is required")


def _check_type(type: ImageType, format: ImageFormat) -> None:
    if type is ImageType.ISO and format not in (ImageFormat.ISO, ImageFormat.RAW):
        raise Invalid(field="spec.format", reason=f"an iso is not of the format {format}")
    if type is ImageType.DISK and format is ImageFormat.ISO:
        raise Invalid(field="spec.type", reason="must be iso for the format iso")


def _check_sources(body: VmImageCreate) -> None:
    named = [field for field in _SOURCES if getattr(body, field) is not None]
    if len(named) > 1 and named != ["vm_snap_id", "vm_disk_snap_id"]:
        raise Invalid(field=f"spec.{named[1]}", reason=f"cannot be given together with {named[0]}")
    if body.in_place and body.path is None and body.rbd_image is None:
        raise Invalid(field="spec.in_place", reason="needs a path or an rbd_image")
    if body.rbd_image is not None and _format(body) not in (ImageFormat.RAW, ImageFormat.ISO):
        raise Invalid(field="spec.format", reason="an RBD image is raw")
    if body.in_place or (named and named != ["path"]):
        for field in ("size_byte", "checksum"):
            if getattr(body, field):
                raise Invalid(field=f"spec.{field}", reason="is for what is uploaded or copied")
