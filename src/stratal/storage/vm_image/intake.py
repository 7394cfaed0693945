"""Content on its way to becoming an image: uploads in pieces, and copies of files on the server.

What arrives goes to the spool. `begin` gives an `Upload` to the face, which writes to it as data come; the
image's row says how much of it is safe. When all is there it is examined, and then becomes a layer through
the tree's reconciler, or is refused and thrown away. Whatever was killed in between, the image's reconciler
calls `resume`, and it goes on from the row and the file.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from structlog import get_logger

from stratal.kernel import work
from stratal.kernel.access import Access
from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, Invalid, NotFound, StratalError
from stratal.kernel.operation import Cancelled
from stratal.storage.images import ImageRefused, InspectionLimits
from stratal.storage.vm_image.errors import UploadBusy
from stratal.storage.vm_image.examination import Digest, digest_of, examine, wants_md5
from stratal.storage.vm_image.importing import Imports
from stratal.storage.vm_image.model import VM_IMAGE, VmImageSpec
from stratal.storage.vm_image.repetition import Repetition
from stratal.storage.vm_image.service import Image, VmImageService
from stratal.storage.vm_image.spool import Spool, SpoolFile
from stratal.storage.vm_image.upload import Piece, Upload

log: Any = get_logger(__name__)

_THREADS = 2


class Intake:
    """Uploads and imports of this process."""

    def __init__(
        self,
        database: Database,
        service: VmImageService,
        spool: Spool,
        imports: Imports,
        *,
        max_bytes: int,
    ) -> None:
        self._database = database
        self._service = service
        self._spool = spool
        self._imports = imports
        self._max_bytes = max_bytes
        self._limits = InspectionLimits(virtual_size_bytes=max_bytes, file_size_bytes=max_bytes)
        self._lock = threading.Lock()
        self._resuming: set[int] = set()
        #: checksums of what arrived so far, so that the next piece need not read it all again
        self._digests: dict[int, Digest] = {}
        self._closing = threading.Event()
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="intake")

    # -- uploads ---------------------------------------------------------------------------------------

    def begin(self, access: Access, id: int, piece: Piece) -> Upload | Repetition:
        """An upload to write to, held until it is closed.

        Raises NotFound, Forbidden, NoUploadDue, UploadBusy, WrongOffset, UploadTooLong, Invalid.
        """
        if piece.first is not None and piece.last is not None:
            last, total = piece.last, piece.total
            arrived = self._database.write(
                lambda tx: self._service.has_arrived(tx, access, id, last=last, total=total)
            )
            if arrived is not None:
                return Repetition(self._database, self._service, arrived, piece.last + 1 - piece.first)
        # first without making a file, then once more with its lock held
        self._database.write(lambda tx: self._service.uploadable(tx, access, id))
        held = ExitStack()
        try:
            file = held.enter_context(self._spool.hold(id))
            try:
                image, arrival = self._database.write(lambda tx: self._service.uploadable(tx, access, id))
            except (NotFound, Conflict):
                self._spool.remove(id)
                raise
            return Upload(
                self._database,
                self._service,
                file,
                image=image,
                arrival=arrival,
                piece=piece,
                max_bytes=self._max_bytes,
                digest=self._digest(image.spec, id),
                conclude=lambda digest: self._uploaded(access, image, file, digest),
                release=lambda digest: self._released(id, digest, held),
            )
        except BaseException:
            held.close()
            raise

    def _digest(self, spec: VmImageSpec, id: int) -> Digest:
        with self._lock:
            return self._digests.pop(id, None) or Digest(with_md5=wants_md5(spec.checksum))

    def _released(self, id: int, digest: Digest | None, held: ExitStack) -> None:
        with self._lock:
            if digest is not None:
                self._digests[id] = digest
        held.close()

    def _uploaded(self, access: Access, image: Image, file: SpoolFile, digest: Digest) -> None:
        """All of it is safe."""
        self._database.write(
            lambda tx: self._service.note_complete(tx, image.id, arrived_byte=file.size_bytes, access=access)
        )
        self._conclude(image, file, digest)

    # -- what else makes images ------------------------------------------------------------------------

    def resume(self, id: int) -> None:
        """Go on with what was interrupted, or copy a file, in the background. Asks for a look afterwards."""
        with self._lock:
            if id in self._resuming or self._closing.is_set():
                return
            self._resuming.add(id)
        self._pool.submit(self._resume, id)

    def close(self) -> None:
        """Stop what runs. It goes on at the next start."""
        self._closing.set()
        self._pool.shutdown(cancel_futures=True)

    def forget(self, id: int) -> None:
        """There will be no more of it."""
        with self._lock:
            self._digests.pop(id, None)

    def sweep(self) -> int:
        """Remove what was left behind by images that are no more. Before anything else begins."""
        columns = VM_IMAGE.tables.spec.c
        wanted = self._database.read(
            lambda tx: {
                image.id for image in self._service.store.find(tx, columns.arrived_byte > 0, labels=False)
            }
        )
        return self._spool.sweep(wanted)

    def _resume(self, id: int) -> None:
        try:
            with self._spool.hold(id) as file:
                self._go_on(id, file)
        except (UploadBusy, NotFound, Conflict, Cancelled):
            pass  # others are at it, or nobody wants it any more
        except ImageRefused:
            pass  # written down
        except StratalError as error:
            log.warning("image_intake_failed", image=id, error=str(error))
        except Exception:
            log.exception("image_intake_failed", image=id)
        finally:
            with self._lock:
                self._resuming.discard(id)
            self._ask(id)

    def _go_on(self, id: int, file: SpoolFile) -> None:
        image, arrival = self._database.read(
            lambda tx: (self._service.store.get(tx, id, labels=False), self._service.arrival(tx, id))
        )
        if image is None or image.spec.deletion_begin is not None or arrival.refusal:
            # to hold the file was to make it again, if whoever refused or deleted the image was quicker
            self._spool.remove(id)
            return
        if arrival.import_path and not arrival.complete:
            self._copy(image, file, arrival.import_path)
        elif not arrival.complete:
            return
        elif file.size_bytes < arrival.arrived_byte:
            self._refuse(id, "what was uploaded is gone from the data directory; upload it again")
            return
        self._conclude(image, file, Digest(with_md5=wants_md5(image.spec.checksum)))

    def _copy(self, image: Image, file: SpoolFile, path: str) -> None:
        try:
            with self._imports.open(path) as source:
                size = file.fill(source, self._check)
        except Invalid as error:
            self._refuse(image.id, error.message)
            raise Cancelled(operation=f"import of vm_image {image.id}") from error
        file.sync(0)
        declared = image.spec.size_byte
        if declared and declared != size:
            self._refuse(image.id, f"{path} has {size} bytes, not the {declared} that were declared")
            raise Cancelled(operation=f"import of vm_image {image.id}")
        self._database.write(lambda tx: self._service.note_complete(tx, image.id, arrived_byte=size))

    # -- from the spool to a layer ---------------------------------------------------------------------

    def _conclude(self, image: Image, file: SpoolFile, digest: Digest) -> None:
        """Examine what arrived, and take it in or refuse it: ImageRefused, once that is written down."""
        size = file.size_bytes
        if digest.count != size:
            digest = digest_of(self._checked(file, size), with_md5=digest.with_md5)
        try:
            facts = examine(
                file.path,
                claimed=image.spec.format,
                declared=image.spec.checksum,
                digest=digest,
                limits=self._limits,
            )
        except ImageRefused as error:
            self._refuse(image.id, error.message)
            raise
        self._database.write(
            lambda tx: self._service.accept(
                tx, image.id, virtual_size_bytes=facts.virtual_size_bytes, sha256=digest.sha256
            )
        )

    def _refuse(self, id: int, reason: str) -> None:
        self._database.write(lambda tx: self._service.refuse(tx, id, reason))
        self._spool.remove(id)
        self.forget(id)

    def _checked(self, file: SpoolFile, size: int) -> Iterator[bytes]:
        for block in file.blocks(0, size):
            self._check()
            yield block

    def _check(self) -> None:
        if self._closing.is_set():
            raise Cancelled(operation="intake of an image")

    def _ask(self, id: int) -> None:
        try:
            self._database.write(lambda tx: work.ask(tx, VM_IMAGE.name, id))
        except StratalError as error:  # the database is away; images are looked at now and then anyway
            log.warning("image_intake_not_reported", image=id, error=str(error))
