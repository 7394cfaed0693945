"""Who may do what to a layer at once: between threads, between processes, and against QEMU.

The driver's own locks are byte ranges of the place's mark file, taken as open file description locks: they
work between threads and processes, survive being handed to a tool, and go away with their last holder, so
nothing has to be cleaned up. QEMU guards each image file with locks of the same kind (block/file-posix.c):
byte 100 + n says that somebody uses permission n, byte 200 + n that somebody forbids it to others.
"""

import fcntl
import os
import struct
import uuid
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from stratal.storage.drivers.contract import LayerId
from stratal.storage.drivers.errors import LayerBusy
from stratal.storage.drivers.qcow2.place import Place, canonical


class Kind(IntEnum):
    """What a lock is about."""

    #: the content: readers share it, a writer excludes everybody
    USE = 0
    #: having children: whoever hangs one on the layer shares it, whoever takes the layer away excludes that
    SHAPE = 1
    #: the files: exclusive, for whoever makes, merges or removes them
    WORK = 2
    #: a reader's wish that a merge stops writing to the file
    WANT = 3


_REASONS = {
    Kind.USE: "somebody reads or writes it",
    Kind.SHAPE: "a child is being hung on it, or it is being taken away",
    Kind.WORK: "other work on it has not ended",
    Kind.WANT: "somebody waits for it",
}


@dataclass(frozen=True, kw_only=True)
class Claim:
    layer: LayerId
    kind: Kind
    exclusive: bool

    @property
    def offset(self) -> int:
        # 58 bits of the UUID leave room for the kind below the 63 bits of an offset. Two layers that share
        # them exclude each other without need, once in 2^29 layers.
        return (uuid.UUID(canonical(self.layer)).int & (1 << 58) - 1) << 2 | self.kind


def using(layer: LayerId) -> Claim:
    return Claim(layer=layer, kind=Kind.USE, exclusive=False)


def owning(layer: LayerId) -> Claim:
    return Claim(layer=layer, kind=Kind.USE, exclusive=True)


def hanging_on(layer: LayerId) -> Claim:
    return Claim(layer=layer, kind=Kind.SHAPE, exclusive=False)


def taking_away(layer: LayerId) -> Claim:
    return Claim(layer=layer, kind=Kind.SHAPE, exclusive=True)


def working_on(layer: LayerId) -> Claim:
    return Claim(layer=layer, kind=Kind.WORK, exclusive=True)


class Locks:
    """The locks of one place."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @contextmanager
    def hold(self, *claims: Claim) -> Generator[int]:
        """Hold all claims or none; never waits. Yields the descriptor that carries them.

        Raises LayerBusy, BackendUnavailable.
        """
        with self._mark() as descriptor:
            for claim in claims:
                form = fcntl.F_WRLCK if claim.exclusive else fcntl.F_RDLCK
                if not _lock(descriptor, form, claim.offset):
                    raise LayerBusy(layer=claim.layer, reason=_REASONS[claim.kind])
            yield descriptor

    @contextmanager
    def want(self, layers: Iterable[LayerId]) -> Generator[None]:
        """Ask whoever merges these layers' files in place to stop doing so."""
        with self.hold(*(Claim(layer=layer, kind=Kind.WANT, exclusive=False) for layer in layers)):
            yield

    def wanted(self, *layers: LayerId) -> bool:
        """Whether somebody asks a merge of these layers' files to stop writing to them."""
        return self._held(layers, Kind.WANT)

    def worked_on(self, layers: Iterable[LayerId]) -> bool:
        """Whether work on one of the layers is going on."""
        return self._held(layers, Kind.WORK)

    def _held(self, layers: Iterable[LayerId], kind: Kind) -> bool:
        with self._mark() as descriptor:
            claims = (Claim(layer=layer, kind=kind, exclusive=True) for layer in layers)
            return any(_locked(descriptor, claim.offset, 1) for claim in claims)

    @contextmanager
    def _mark(self) -> Generator[int]:
        with self._place.guard("open its locks"):
            descriptor = os.open(self._place.mark, os.O_RDWR | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


# QEMU's permissions, as numbers of its lock bytes.
_WRITE, _RESIZE = 1, 3
_USES, _FORBIDS, _PERMISSIONS = 100, 200, 64


def written_by_qemu(path: Path) -> bool:
    """Whether a QEMU process has the file open for writing."""
    with _opened(path) as descriptor:
        return _locked(descriptor, _USES + _WRITE, 1) or _locked(descriptor, _USES + _RESIZE, 1)


def opened_by_qemu(path: Path) -> bool:
    """Whether a QEMU process has the file open at all, by itself or as a backing file."""
    with _opened(path) as descriptor:
        return _locked(descriptor, _USES, _PERMISSIONS) or _locked(descriptor, _FORBIDS, _PERMISSIONS)


@contextmanager
def unwritten_by_qemu(path: Path, layer: LayerId) -> Generator[None]:
    """Keep every QEMU process from writing to the file. Raises LayerBusy.

    A reading QEMU would also say that it reads; but then `qemu-img commit` would not go through the file.
    """
    with _opened(path) as descriptor:
        for byte in (_FORBIDS + _WRITE, _FORBIDS + _RESIZE):
            _lock(descriptor, fcntl.F_RDLCK, byte)
        if _locked(descriptor, _USES + _WRITE, 1) or _locked(descriptor, _USES + _RESIZE, 1):
            raise LayerBusy(layer=layer, reason="a guest or a tool writes to it")
        yield


@contextmanager
def _opened(path: Path) -> Generator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


_FLOCK = struct.Struct("hhqqi4x")


def _lock(descriptor: int, form: int, offset: int) -> bool:
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _FLOCK.pack(form, os.SEEK_SET, offset, 1, 0))
    except BlockingIOError:
        return False
    return True


def _locked(descriptor: int, offset: int, length: int) -> bool:
    """Whether somebody else holds any lock within the range."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, offset, length, 0)
    found = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked))
    return found[0] != fcntl.F_UNLCK
