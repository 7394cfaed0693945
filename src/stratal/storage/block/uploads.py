"""Volumes that become images. Called by faces."""

from stratal.kernel.access import Access
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.storage.block.states import check_volume
from stratal.storage.block.views import VolumeView
from stratal.storage.block.volumes import BlockVolumes
from stratal.storage.images import ImageFormat
from stratal.storage.vm_image.model import VmImageCreate, VmImageSpec, VmImageStatus
from stratal.storage.vm_image.service import VmImageService

Image = Resource[VmImageSpec, VmImageStatus]


class Uploads:
    def __init__(self, volumes: BlockVolumes, images: VmImageService) -> None:
        self._volumes = volumes
        self._images = images

    def upload(
        self,
        transaction: Transaction,
        access: Access,
        id: int,
        *,
        name: str,
        format: ImageFormat,
        shared: bool,
        force: bool,
    ) -> tuple[VolumeView, Image]:
        """An image of a volume as it is now; `force`: also of one that is in use. Nothing is copied.

        Raises NotFound, WrongStatus.
        """
        volume = self._volumes.show(transaction, access, id, lock=True)
        check_volume("upload-attached" if force else "upload", status=volume.status, uuid=volume.uuid)
        body = VmImageCreate(
            name=name,
            description=f"Of the volume {volume.uuid}",
            format=format,
            bs_policy_id=volume.policy_id,
            shared=shared,
        )
        return volume, self._images.of_volume(transaction, access, id, body)
