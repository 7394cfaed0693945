"""One request's part of an upload: bytes into the spool, and into the image's row how many are safe.

Made by `intake`, driven by the face from one thread at a time. What was written is made safe at least every
`_SAFE_SECONDS` or `_SAFE_BYTES`, so that a crash costs no more than that of a long upload.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final

import msgspec

from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, Invalid
from stratal.storage.vm_image.errors import (
    Incomplete,
    NoUploadDue,
    SpoolFull,
    UploadTooLong,
    WrongOffset,
)
from stratal.storage.vm_image.examination import Digest
from stratal.storage.vm_image.model import UploadState, VmImagePrivate
from stratal.storage.vm_image.service import Image, VmImageService
from stratal.storage.vm_image.spool import SpoolFile

_SAFE_BYTES: Final = 64 * 2**20
_SAFE_SECONDS: Final = 1.0
_RANGE: Final = "content-range"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Which bytes a request brings: all of them, or a range."""

    #: None: the whole image, from its beginning to the end of the body
    first: int | None = None
    #: the last one, counted in
    last: int | None = None
    #: how long the whole image is, as far as the request says
    total: int | None = None


class Upload:
    """Bytes on their way into the spool. `finish` once all was written, `close` in any case."""

    def __init__(
        self,
        database: Database,
        service: VmImageService,
        file: SpoolFile,
        *,
        image: Image,
        arrival: VmImagePrivate,
        piece: Piece,
        max_bytes: int,
        digest: Digest,
        conclude: Callable[[Digest], None],
        release: Callable[[Digest | None], None],
    ) -> None:
        self._database = database
        self._service = service
        self._file = file
        self._image = image
        self._piece = piece
        self._conclude = conclude
        self._release = release
        self._lock = Lock()
        self._closed = False
        self._complete = False
        self._refused = False
        #: bytes that are safe; and those that are compared instead of written when they come again
        self._safe = self._known = min(arrival.arrived_byte, file.size_bytes)
        self._at = piece.first or 0
        self._expected = self._expect(arrival)
        self._limit, self._why = self._limits(max_bytes)
        self._check_place()
        if piece.first is None:
            self._start_anew()
        file.cut(self._safe)
        self._digest = digest if digest.count == self._safe else Digest(with_md5=digest.with_md5)
        self._safe_at = time.monotonic()

    # -- what a face does with it ----------------------------------------------------------------------

    def write(self, data: bytes | memoryview) -> None:
        """Raises UploadTooLong, WrongOffset, Invalid, SpoolFull and SpoolUnavailable, and Conflict when the
        image is on its way out.
        """
        with self._lock:
            if self._closed:
                raise Conflict(reason="the upload has ended")
            end = self._at + len(data)
            if self._piece.last is not None and end > self._piece.last + 1:
                raise Invalid(field=_RANGE, reason="names fewer bytes than the body has")
            if end > self._limit:
                raise UploadTooLong(limit_bytes=self._limit, why=self._why)
            known = max(0, min(len(data), self._known - self._at))
            if known:
                self._compare(data[:known])
            if known < len(data):
                self._store(memoryview(data)[known:], self._at + known)
            self._at = end
            due = time.monotonic() - self._safe_at >= _SAFE_SECONDS
            if self._at - self._safe >= _SAFE_BYTES or (due and self._at > self._safe):
                self._make_safe()

    def pause(self) -> None:
        """Make safe what was written, since no more comes for now. Raises as `write` does."""
        with self._lock:
            if not self._closed and self._at > self._safe:
                self._make_safe()

    def finish(self) -> Image:
        """The body has ended as it should. Returns the image as it is then; if this was the last of it,
        raises ImageRefused where it is no good.
        """
        self.pause()
        last = self._piece.last
        if last is not None and self._at != last + 1:
            raise Incomplete(field="body", arrived_byte=self._safe, expected=self._expected)
        if not self._expected:  # nobody said how long it is: the end of the body is its end
            self._expected = self._at
        if self._safe >= self._expected:
            if not self._expected:
                raise Invalid(field="body", reason="is empty")
            self._complete = True
            try:
                self._conclude(self._digest)
            except Invalid:
                self._refused = True
                raise
        elif self._piece.first is None:
            raise Incomplete(field="body", arrived_byte=self._safe, expected=self._expected)
        return self._shown()

    def close(self) -> None:
        """Let others go on with it. Safe to repeat, from any thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._release(None if self._complete or self._digest.count != self._safe else self._digest)

    # -- where it begins -------------------------------------------------------------------------------

    def _expect(self, arrival: VmImagePrivate) -> int:
        """How long the whole is: as declared, else as said now or before; 0 for not known."""
        declared, total = self._image.spec.size_byte, self._piece.total
        before = 0 if self._piece.first is None else arrival.expected_byte
        said = declared or before
        if total is not None and said and total != said:
            if self._piece.first is None and total > said:
                raise UploadTooLong(limit_bytes=said, why="which is its declared size_byte")
            if self._piece.first is not None:
                raise Invalid(field=_RANGE, reason=f"says that there are {total} bytes, not {said}")
        if not said and total is None and self._piece.first is not None:
            raise Invalid(field=_RANGE, reason="must say how long the whole image is")
        return said or total or 0

    def _limits(self, max_bytes: int) -> tuple[int, str]:
        if 0 < self._expected <= max_bytes:
            return self._expected, "which is how long it was said to be"
        if self._expected > max_bytes:
            raise UploadTooLong(limit_bytes=max_bytes, why="which the settings allow")
        return max_bytes, "which the settings allow"

    def _check_place(self) -> None:
        if self._at > self._safe:
            raise WrongOffset(
                id=self._image.id,
                arrived_byte=self._safe,
                reason=f"the next chunk begins there, not at {self._at}",
            )
        last = self._piece.last
        if last is not None and last >= self._limit:
            raise Invalid(field=_RANGE, reason=f"reaches beyond the {self._limit} bytes of the image")

    def _start_anew(self) -> None:
        if self._safe:
            self._note(0)
        self._safe = self._known = 0

    # -- bytes -----------------------------------------------------------------------------------------

    def _compare(self, data: bytes | memoryview) -> None:
        stored = b"".join(self._file.blocks(self._at, self._at + len(data)))
        if stored != data:
            raise WrongOffset(
                id=self._image.id,
                arrived_byte=self._safe,
                reason=f"the chunk at {self._at} differs from what is there",
            )

    def _store(self, data: memoryview, offset: int) -> None:
        try:
            self._file.write(offset, data)
        except SpoolFull:
            # what came before is kept
            self._at = offset
            if self._at > self._safe:
                self._make_safe()
            raise SpoolFull(id=self._image.id, arrived_byte=self._safe) from None
        if self._digest.count == offset:
            self._digest.update(data)

    def _make_safe(self) -> None:
        try:
            self._file.sync(self._safe)
        except SpoolFull:
            raise SpoolFull(id=self._image.id, arrived_byte=self._safe) from None
        self._note(self._at)
        self._safe = self._at
        self._safe_at = time.monotonic()

    def _note(self, arrived_byte: int) -> None:
        id, expected = self._image.id, self._expected
        self._database.write(
            lambda tx: self._service.note_arrived(tx, id, arrived_byte=arrived_byte, expected_byte=expected)
        )

    def _shown(self) -> Image:
        """The image as its reconciler is going to show it in a moment."""
        found = self._database.read(lambda tx: self._service.store.get(tx, self._image.id))
        if found is None:
            raise NoUploadDue(id=self._image.id, reason="it was deleted")
        state = UploadState.CONVERTING if self._complete else UploadState.UPLOADING
        if found.status.upload_state is UploadState.FINISHED:
            state = UploadState.FINISHED
        status = msgspec.structs.replace(
            found.status, upload_state=state, uploaded_byte=self._safe, problem=None
        )
        return replace(found, status=status)
