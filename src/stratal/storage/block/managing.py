"""Disks that are there already, and become volumes: files and RBD images. Called by faces."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from stratal.kernel.access import Access
from stratal.kernel.transaction import Transaction
from stratal.storage.block.model import UNNAMED
from stratal.storage.block.traits import checked_metadata, put_volume
from stratal.storage.block.views import VolumeView
from stratal.storage.block.volumes import BlockVolumes
from stratal.storage.bs_volume.model import LARGEST_MB, MIB, BsVolumeCreate, DiskFormat
from stratal.storage.bs_volume.service import BsVolumeService
from stratal.storage.foreign import ForeignImages
from stratal.storage.vm_image.importing import ImportableFile


@dataclass(frozen=True, kw_only=True)
class Existing:
    """Where a disk is that becomes a volume: a file, or an image of the policy's RBD cluster."""

    policy_id: int
    path: str | None = None
    rbd_image: str | None = None
    format: DiskFormat = DiskFormat.RAW


class Managing:
    def __init__(self, blocks: BlockVolumes, volumes: BsVolumeService, foreign: ForeignImages) -> None:
        self._blocks = blocks
        self._volumes = volumes
        self._foreign = foreign

    def files(self, access: Access) -> list[ImportableFile]:
        """What could become a volume. Raises Forbidden for those who may not take in what is there."""
        self._foreign.forbid(access)
        return self._foreign.imports.files()

    def prepare(
        self, access: Access, existing: Existing, *, name: str | None, description: str | None
    ) -> Any:
        """Look at the disk, outside of a transaction. Raises Invalid, Forbidden, Unavailable."""
        body = BsVolumeCreate(
            name=name or UNNAMED,
            description=description or "",
            bs_policy_id=existing.policy_id,
            size_mb=LARGEST_MB,
            path=existing.path,
            rbd_image=existing.rbd_image,
            format=msgspec.UNSET if existing.path is None else existing.format,
            in_place=True,
            creator=access.user_name[:255],
        )
        prepared: Any = self._volumes.prepare_create(access, body)
        return msgspec.structs.replace(prepared, size_mb=max(1, -(-prepared.found.size_bytes // MIB)))

    def manage(
        self,
        transaction: Transaction,
        access: Access,
        prepared: Any,
        *,
        metadata: Mapping[str, str],
        bootable: bool,
    ) -> VolumeView:
        """Make a volume of what was prepared: the disk itself, which from then on is Stratal's."""
        pairs = checked_metadata(metadata)
        made = self._volumes.create(transaction, access, prepared)
        put_volume(transaction, made.id, metadata=pairs, bootable=bootable, user_id=access.user_id)
        return self._blocks.show(transaction, access, made.id)
