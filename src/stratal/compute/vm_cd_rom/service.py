"""What may be asked of CD-ROM drives. Called by faces, and by the services of machines."""

from typing import Any

import msgspec

from stratal.compute.machines import check_stopped, in_project_of, machine_for
from stratal.compute.places import places_of
from stratal.compute.vm_cd_rom.model import (
    VM_CD_ROM,
    VmCdRomCreate,
    VmCdRomSpec,
    VmCdRomStatus,
    VmCdRomUpdate,
)
from stratal.kernel.access import Access
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.storage import Storage

CdRom = Resource[VmCdRomSpec, VmCdRomStatus]


class _Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A new drive, and its place in the guest."""

    body: VmCdRomCreate
    target: str


class VmCdRomService(ResourceService[VmCdRomSpec, VmCdRomStatus]):
    create_body = VmCdRomCreate
    update_body = VmCdRomUpdate

    def __init__(self, catalogue: Catalogue, storage: Storage) -> None:
        super().__init__(VM_CD_ROM, catalogue)
        self._images = storage.images.service.store

    def create(self, transaction: Transaction, access: Access, body: Any, *, wish: str = "") -> CdRom:
        """A new drive; in the place `wish` of the guest where that is free.

        No hypervisor plugs such a drive into a guest that runs: it comes with the next boot.
        """
        machine = machine_for(transaction, access, body.vm_id)
        places = places_of(transaction, machine.id)
        places.check_room_for_cd_rom()
        target = places.free(body.bus, wish=wish)
        return super().create(transaction, in_project_of(access, machine), _Placed(body=body, target=target))

    def new(self, transaction: Transaction, access: Access, body: Any) -> Change:
        placed: _Placed = body
        self._check_image(transaction, access, placed.body.vm_image_id)
        return {**given(placed.body), "target": placed.target}

    def changed(
        self, transaction: Transaction, access: Access, resource: CdRom, body: VmCdRomUpdate
    ) -> Change:
        if body.vm_image_id is not msgspec.UNSET and body.vm_image_id != resource.spec.vm_image_id:
            self._check_image(transaction, access, body.vm_image_id)
        return given(body)

    def restore(
        self,
        transaction: Transaction,
        access: Access,
        drive: CdRom,
        *,
        bus: str,
        vm_image_id: int | None,
        boot_order: int | None,
        target: str,
    ) -> None:
        """Let a drive of a stopped machine be as it was once."""
        change: dict[str, Any] = {"vm_image_id": vm_image_id, "boot_order": boot_order}
        if drive.spec.bus != bus:
            machine = machine_for(transaction, access, drive.spec.vm_id)
            check_stopped(machine, "put a drive on another bus")
            target = places_of(transaction, machine.id).free(bus, wish=target)
            change |= {"bus": bus, "target": target}
        self.change(transaction, access, drive, "update", change)

    def has_image(self, transaction: Transaction, id: int) -> bool:
        """Whether there still is such an image, for good."""
        image = self._images.get(transaction, id, labels=False)
        return image is not None and image.spec.deletion_begin is None

    def _check_image(self, transaction: Transaction, access: Access, id: int | None) -> None:
        """Raises Invalid for an image that no drive can take, Conflict for one that is not there yet."""
        if id is None:
            return
        self._check_references(transaction, access, {"vm_image_id": id})
        image = self._images.get(transaction, id, labels=False)
        if image is not None and image.spec.type != "iso":
            raise Invalid(field="spec.vm_image_id", reason=f"vm_image {id} is of a disk, not of a CD-ROM")
        if image is not None and image.spec.creation_finish is None:
            raise Conflict(reason=f"vm_image {id} has no content yet: wait until it is active")
