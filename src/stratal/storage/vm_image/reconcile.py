"""Says how far an image is, and sees to it that its content goes on. Called by the reconcile engine.

The intake examines what arrived, the tree's reconciler puts it where images are kept; both ask for a look
here when they are done.
"""

from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import func, select

from stratal.kernel.errors import StratalError
from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.storage.background import Background
from stratal.storage.bs_volume.model import BS_VOLUME
from stratal.storage.drivers.contract import LayerId
from stratal.storage.drivers.errors import SourceRefused
from stratal.storage.layers import NameKind, State
from stratal.storage.tree import rows
from stratal.storage.tree.disks import Disks
from stratal.storage.tree.telling import first_problem, tell
from stratal.storage.vm_image.intake import Intake
from stratal.storage.vm_image.model import VM_IMAGE, UploadState, VmImagePrivate, VmImageSpec, VmImageStatus
from stratal.storage.vm_image.service import VmImageService
from stratal.storage.vm_image.spool import Spool

_WAIT: Final = timedelta(seconds=60)
"""How long to wait for the intake and the tree, which ask for a look by themselves."""

_WAIT_FOR_CLIENT: Final = timedelta(minutes=10)

Image = Resource[VmImageSpec, VmImageStatus]


class VmImageReconciler:
    kind = VM_IMAGE
    concurrency = 4

    def __init__(
        self, service: VmImageService, disks: Disks, intake: Intake, spool: Spool, background: Background
    ) -> None:
        self._service = service
        self._disks = disks
        self._intake = intake
        self._spool = spool
        self._background = background
        spec, status = BS_VOLUME.tables.spec, BS_VOLUME.tables.status
        self._count_clones = (
            select(func.count())
            .join_from(spec, status, spec.c.id == status.c.id)
            .where(spec.c.deleted_at.is_(None), ~status.c.flattened)
        )
        self._image_of = spec.c.vm_image_id

    def reconcile(self, resource: Image, look: Look) -> Observed[VmImageStatus]:
        arrival, path, status = look.read(lambda tx: self._observe(tx, resource))
        if path and path[0].layer.state is State.SETTLED:
            self._spool.remove(resource.id)
            self._intake.forget(resource.id)
            status.upload_state = UploadState.FINISHED
            status.size_byte = path[0].layer.size_bytes
            tell(look, resource, status.problem)
            return Observed(status=status)
        if path:
            refusal = self._refused_by_driver(look, resource, path[0].layer.id)
            if refusal is not None:
                return self._give_up(resource, look, arrival, refusal)
            status.upload_state = UploadState.CONVERTING
            tell(look, resource, status.problem)
            return Observed(status=status, settled=False, again_after=_WAIT)
        return self._wait(resource, look, arrival, status)

    def remove(self, resource: Image, look: Look) -> Gone:
        """The tree stops what is being made of it."""
        name = rows.name_of(NameKind.IMAGE, resource.id)
        look.write(lambda tx: self._disks.drop(tx, name))
        self._spool.remove(resource.id)
        self._intake.forget(resource.id)
        return Gone()

    # -- what there is ---------------------------------------------------------------------------------

    def _observe(
        self, transaction: Transaction, resource: Image
    ) -> tuple[VmImagePrivate, list[rows.Placed], VmImageStatus]:
        name = rows.name_of(NameKind.IMAGE, resource.id)
        arrival = self._service.arrival(transaction, resource.id)
        path = rows.path(transaction, name)
        exclusive, _shared = rows.count_of(transaction, name)
        clones = transaction.execute(self._count_clones.where(self._image_of == resource.id)).scalar_one()
        return (
            arrival,
            path,
            msgspec.structs.replace(
                resource.status,
                uploaded_byte=arrival.arrived_byte,
                checksum=f"sha256:{arrival.sha256}" if arrival.sha256 else None,
                allocated_size_byte=exclusive,
                ref_num=clones,
                problem=arrival.refusal or first_problem(path),
            ),
        )

    def _wait(
        self, resource: Image, look: Look, arrival: VmImagePrivate, status: VmImageStatus
    ) -> Observed[VmImageStatus]:
        """For the client or the intake."""
        tell(look, resource, status.problem)
        after = _WAIT_FOR_CLIENT
        if arrival.refusal:
            status.upload_state = UploadState.FAILED
        elif arrival.complete:
            status.upload_state = UploadState.CONVERTING
            self._intake.resume(resource.id)
            after = _WAIT
        elif arrival.import_path:
            status.upload_state = UploadState.UPLOADING
            self._intake.resume(resource.id)
            after = _WAIT
        else:
            status.upload_state = UploadState.UPLOADING if arrival.arrived_byte else UploadState.WAITING
        return Observed(status=status, settled=False, again_after=after)

    # -- what the driver would not take ----------------------------------------------------------------

    def _refused_by_driver(self, look: Look, resource: Image, layer: LayerId) -> StratalError | None:
        """Why the content will never become a layer, if it was found out while it was copied."""
        name = rows.name_of(NameKind.IMAGE, resource.id)
        tree_id = look.read(lambda tx: rows.tree_of(tx, name))
        error = None if tree_id is None else self._background.look(tree_id).failed.get(layer)
        return error if isinstance(error, SourceRefused) else None

    def _give_up(
        self, resource: Image, look: Look, arrival: VmImagePrivate, refusal: StratalError
    ) -> Observed[VmImageStatus]:
        look.write(lambda tx: self._service.refuse(tx, resource.id, refusal.message))
        self._spool.remove(resource.id)
        self._intake.forget(resource.id)
        return Observed(status=resource.status, settled=False)
