"""The images of an installation put together. Called by the storage facade."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from structlog import get_logger

from stratal.kernel import work
from stratal.kernel.database import Database
from stratal.kernel.errors import StratalError
from stratal.kernel.kind import Catalogue
from stratal.kernel.transaction import Transaction
from stratal.storage.background import Background
from stratal.storage.foreign import ForeignImages
from stratal.storage.places import Places
from stratal.storage.tree.disks import Disks
from stratal.storage.vm_image.download import Downloads
from stratal.storage.vm_image.intake import Intake
from stratal.storage.vm_image.kept_disk import KeptDiskOf
from stratal.storage.vm_image.model import VM_IMAGE
from stratal.storage.vm_image.reconcile import VmImageReconciler
from stratal.storage.vm_image.service import VmImageService
from stratal.storage.vm_image.spool import Spool

log: Any = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ImageSettings:
    """What the composition root knows about images."""

    #: where uploads are kept until they are images
    spool: Path
    #: where files may be imported from
    import_directories: Sequence[Path] = ()
    #: the largest image
    max_bytes: int = 4 * 2**40


class VmImages:
    def __init__(
        self,
        catalogue: Catalogue,
        database: Database,
        settings: ImageSettings,
        *,
        disks: Disks,
        places: Places,
        background: Background,
        foreign: ForeignImages,
        kept_disk_of: KeptDiskOf,
    ) -> None:
        self._database = database
        spool, imports = Spool(settings.spool), foreign.imports
        self.service = VmImageService(catalogue, database, disks, spool, foreign, kept_disk_of)
        self.intake = Intake(database, self.service, spool, imports, max_bytes=settings.max_bytes)
        self.downloads = Downloads(database, self.service, places)
        self.reconciler = VmImageReconciler(self.service, disks, self.intake, spool, background)

    def start(self) -> None:
        """Remove leftovers, and ask for a look at what was on its way when the last process ended."""
        try:
            removed = self.intake.sweep()
        except StratalError as error:
            log.warning("image_spool_not_swept", error=str(error))
        else:
            if removed:
                log.info("image_spool_swept", leftovers=removed)

        def write(transaction: Transaction) -> None:
            spec = VM_IMAGE.tables.spec.c
            unfinished = select(spec.id).where(spec.deleted_at.is_(None), spec.creation_finish.is_(None))
            for (id,) in transaction.execute(unfinished):
                work.ask(transaction, VM_IMAGE.name, id)

        self._database.write(write)

    def close(self) -> None:
        """Stop what runs."""
        self.intake.close()
