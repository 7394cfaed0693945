"""The directory that holds the layers: its names, its errors, and what makes changes in it durable.

    <layer>.qcow2      a layer, or, if <layer>.absorbed is there too, a part of the layer that hangs on it
    <layer>.absorbed   the layer of this name is no layer any more; its file still serves the one above it,
                       whose name this holds; or, where it says so, it is but another name of that one's file
    <layer>.raw        a raw image that was taken over in place, private to the layer that hangs on it
    <layer>.new        something that is being made; worthless once nobody holds the layer's WORK lock
    .stratal-layers    marks the place and carries the locks; without it nothing is believed, for an
                       unmounted directory would otherwise look like one whose layers are all gone

Layers are named by canonical UUIDs only, so no name can point anywhere else.
"""

import errno
import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from stratal.kernel.effects import Effect
from stratal.kernel.errors import Invalid
from stratal.storage.drivers.contract import LayerId
from stratal.storage.drivers.errors import BackendUnavailable, NoSpace

LAYER, ABSORBED, RAW, NEW = ".qcow2", ".absorbed", ".raw", ".new"
ALIAS = "alias "
"""Begins the text of a mark that says that the name is but another one of its heir."""
_MARK = ".stratal-layers"
_LONGEST_NAME = 1023
"""What qcow2 stores as the name of a backing file."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_PREPARE = Effect("qcow2.place.prepare")


class Place:
    """One directory of layers. Knows names and durability; what the files mean is `chain`'s."""

    def __init__(self, directory: Path) -> None:
        if not directory.is_absolute() or ".." in directory.parts:
            raise Invalid(field="directory", reason="must be an absolute path without '..'")
        if len(os.fsencode(directory)) + 64 > _LONGEST_NAME:
            raise Invalid(field="directory", reason="is too long to be named in a qcow2 header")
        self.directory = directory
        self.mark = directory / _MARK

    def __str__(self) -> str:
        return str(self.directory)

    def prepare(self) -> None:
        """Mark the existing directory as a place of layers, once. Raises BackendUnavailable."""
        with self.guard("mark the place"), _PREPARE:
            os.close(os.open(self.mark, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o660))
            self.sync()

    def path(self, layer: LayerId, suffix: str = LAYER) -> Path:
        """Raises Invalid for what is no canonical UUID."""
        return self.directory / f"{canonical(layer)}{suffix}"

    def require(self) -> None:
        """Raises BackendUnavailable unless the marked directory is there."""
        with self.guard("look"):
            os.stat(self.mark)

    def names(self) -> list[str]:
        """All files of the place but its mark. Raises BackendUnavailable."""
        with self.guard("list its files"):
            os.stat(self.mark)
            return [name for name in os.listdir(self.directory) if name != _MARK]

    def sync(self) -> None:
        """Make created, renamed and removed names survive a power cut."""
        sync_path(self.directory, os.O_DIRECTORY)

    @contextmanager
    def guard(self, action: str) -> Generator[None]:
        """Turn what the file system says into NoSpace and BackendUnavailable."""
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise NoSpace(place=self, action=action) from error
            reason = f"could not {action}: {error.strerror or error}"
            if not self.mark.exists():
                reason = "the directory is not there, not mounted, or not prepared"
            raise BackendUnavailable(place=self, reason=reason) from error


def split(name: str) -> tuple[LayerId, str] | None:
    """The layer and the suffix of a file name of a place; None for foreign names."""
    stem, dot, suffix = name.partition(".")
    try:
        layer = canonical(LayerId(stem))
    except Invalid:
        return None
    return (layer, dot + suffix) if dot + suffix in (LAYER, ABSORBED, RAW, NEW) else None


def sync_path(path: Path, flags: int = 0) -> None:
    """fsync a file or directory."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def canonical(layer: LayerId) -> LayerId:
    """The layer's name, if it is a UUID in its canonical form. Raises Invalid."""
    try:
        text = str(uuid.UUID(layer))
    except ValueError:
        text = None
    if text != layer:
        raise Invalid(field="layer", reason="must be a UUID in its canonical form")
    return layer
