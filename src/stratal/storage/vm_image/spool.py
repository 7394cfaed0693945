"""Where uploads are kept until they are images: one file for each, `<id>.upload`, in the data directory.

A file is worth what the image's row says of it: bytes beyond those are forgotten, and a file without a row
is a leftover. Who writes to one, or reads it to check it, holds its lock, which ends with the process.
Called by `intake` and by the reconciler.
"""

import errno
import fcntl
import os
import re
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stratal.kernel.effects import Effect
from stratal.storage.vm_image.errors import SpoolFull, SpoolUnavailable, UploadBusy

_CREATE = Effect("vm_image.spool.create")
_WRITE = Effect("vm_image.spool.write")
_SYNC = Effect("vm_image.spool.sync")
_REMOVE = Effect("vm_image.spool.remove")

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NAME: Final = re.compile(r"^([0-9]+)\.upload$")
_BLOCK_BYTES: Final = 4 * 2**20


class SpoolFile:
    """The file of one image, held by this one user."""

    def __init__(self, id: int, descriptor: int, path: Path) -> None:
        self._id = id
        self._descriptor = descriptor
        self.path = path

    @property
    def size_bytes(self) -> int:
        return os.fstat(self._descriptor).st_size

    def cut(self, size_bytes: int) -> None:
        """Forget what lies beyond."""
        with _guard(self._id, size_bytes):
            os.ftruncate(self._descriptor, size_bytes)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Raises SpoolFull, which names `offset` as what is safe; the caller knows better."""
        with _guard(self._id, offset), _WRITE:
            view = memoryview(data)
            while view:
                written = os.pwrite(self._descriptor, view, offset)
                offset += written
                view = view[written:]

    def sync(self, arrived_byte: int) -> None:
        """What was written survives a power cut."""
        with _guard(self._id, arrived_byte), _SYNC:
            os.fdatasync(self._descriptor)

    def blocks(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to `end`, as far as they are there."""
        while start < end:
            data = os.pread(self._descriptor, min(_BLOCK_BYTES, end - start), start)
            if not data:
                return
            yield data
            start += len(data)

    def fill(self, source: int, check: Callable[[], None]) -> int:
        """Become a copy of the open file `source`, holes and all. Returns the length."""
        size = os.fstat(source).st_size
        with _guard(self._id, 0), _WRITE:
            os.ftruncate(self._descriptor, 0)
            os.ftruncate(self._descriptor, size)
            for start, end in _data_of(source, size):
                while start < end:
                    check()
                    copied = _copy(source, self._descriptor, start, min(4 * _BLOCK_BYTES, end - start))
                    if not copied:
                        break
                    start += copied
        return size


class Spool:
    """The directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def hold(self, id: int) -> Generator[SpoolFile]:
        """The file of an image, made where there is none. Raises UploadBusy, SpoolUnavailable, SpoolFull."""
        path = self.path(id)
        with _guard(id, 0):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _CREATE:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            if not os.fstat(descriptor).st_size:
                _sync_directory(self._directory)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UploadBusy(id=id) from None
            yield SpoolFile(id, descriptor, path)
        finally:
            os.close(descriptor)

    def path(self, id: int) -> Path:
        return self._directory / f"{id}.upload"

    def remove(self, id: int) -> None:
        """Done already if there is none. Whoever has it open keeps writing to nothing."""
        path = self.path(id)
        if not path.exists():
            return
        with _guard(id, 0), _REMOVE:
            path.unlink(missing_ok=True)
            _sync_directory(self._directory)

    def sweep(self, wanted: Collection[int]) -> int:
        """Remove the files of all images but these. Returns how many there were."""
        try:
            names = os.listdir(self._directory)
        except FileNotFoundError:
            return 0
        found = [int(match[1]) for name in names if (match := _NAME.match(name))]
        leftovers = [id for id in found if id not in wanted]
        for id in leftovers:
            self.remove(id)
        return len(leftovers)


def _copy(source: int, target: int, offset: int, count: int) -> int:
    """Copy in the kernel, where blocks may be shared, or else by hand. Returns how much was copied."""
    try:
        return os.copy_file_range(source, target, count, offset, offset)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
    data = os.pread(source, count, offset)
    return os.pwrite(target, data, offset) if data else 0


def _data_of(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """The ranges of a file that are no holes."""
    at = 0
    while at < size:
        try:
            at = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        hole = os.lseek(descriptor, at, os.SEEK_HOLE)
        yield at, hole
        at = hole


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _guard(id: int, safe_bytes: int) -> Generator[None]:
    """What the file system says, in words that a user can act on."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise SpoolFull(id=id, arrived_byte=safe_bytes) from error
        raise SpoolUnavailable(reason=error.strerror or str(error)) from error
