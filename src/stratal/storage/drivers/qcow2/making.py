"""How layers come into the place: blank, copied from an image, or taken over.

Each is made under a name that is no layer, made durable, and then put in place by one rename or link.
"""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from stratal.kernel.effects import Effect
from stratal.kernel.operation import Operation
from stratal.storage import images
from stratal.storage.drivers.contract import LayerId, Location, Source, Transport
from stratal.storage.drivers.errors import LayerBusy, LayerExists, SourceRefused
from stratal.storage.drivers.qcow2.blank import write_blank
from stratal.storage.drivers.qcow2.chain import FROZEN, WRITABLE, LayerFile
from stratal.storage.drivers.qcow2.locks import opened_by_qemu
from stratal.storage.drivers.qcow2.place import NEW, RAW, Place, sync_path
from stratal.storage.drivers.qcow2.tools import translate
from stratal.storage.images import ImageFacts, ImageFormat, ImageRefused, tool

_WRITE = Effect("qcow2.make.write")
_CONVERT = Effect("qcow2.make.convert")
_PUBLISH = Effect("qcow2.make.publish")
_ADOPT_MODE = Effect("qcow2.adopt.mode")
_ADOPT_LINK = Effect("qcow2.adopt.link")
_ADOPT_UNLINK = Effect("qcow2.adopt.unlink")


def make_blank(place: Place, layer: LayerId, *, size_bytes: int, below: LayerFile | None) -> None:
    """A writable layer without data of its own. One small file; nothing of what is below is opened."""
    with _published(place, layer) as path, _WRITE:
        backing = None if below is None else (str(below.path), below.format)
        write_blank(path, size_bytes=size_bytes, backing=backing)


def make_copy(
    place: Place, layer: LayerId, *, size_bytes: int, source: Source, operation: Operation, keep: int
) -> None:
    """A writable root with the content of an image. Raises SourceRefused, NoSpace, BackendUnavailable."""
    name = str(source.path)
    facts = _facts_of(source.location)
    if facts.virtual_size_bytes > size_bytes:
        larger = f"it has {facts.virtual_size_bytes} bytes, the layer {size_bytes}"
        raise SourceRefused(source=name, field="source", reason=larger)
    with _published(place, layer) as path:
        with _WRITE:
            write_blank(path, size_bytes=size_bytes, backing=None)
        try:
            with operation.phase("inspect"):
                images.confirm(source.path, facts)
            with operation.phase("copy"), _CONVERT:
                images.convert(
                    source.path, facts, target=path, into_existing=True, operation=operation, keep=(keep,)
                )
        except ImageRefused as error:
            raise SourceRefused(source=name, field="source", reason=error.fields["reason"]) from error
        except (tool.ToolFailed, tool.ToolUnavailable) as error:
            raise translate(error, place, layer, "copy an image") from error
        operation.check()


def adopt(place: Place, layer: LayerId, *, present: list[LayerFile] | None, location: Location) -> None:
    """Take a qcow2 or raw file over. `present` is the chain of a layer that has the name already.

    A raw file becomes the private base of a blank qcow2 layer: it is then only ever read.
    """
    path = _outside(place, location)
    status = _status(path)
    if present is not None:
        if len(present) > 1 and not present[1].private:
            raise LayerExists(layer=layer, reason="it is not a root")
        if status is not None:
            if not any(os.path.samestat(status, os.stat(file.path)) for file in present):
                raise LayerExists(layer=layer, reason="it was not made from this image")
            _give_up(place, path)
        return
    raw = place.path(layer, RAW)
    if status is None:
        raise _refusal(path, "there is no such file")
    facts = _facts_of(location)
    _check_adoptable(place, path, status, facts, raw)
    if opened_by_qemu(path):
        raise LayerBusy(layer=layer, reason=f"a guest or a tool has {path} open")
    is_raw = facts.format is not ImageFormat.QCOW2
    with place.guard("take an image over"):
        with _ADOPT_MODE:
            os.chmod(path, FROZEN if is_raw else WRITABLE)
            sync_path(path)
        with _ADOPT_LINK:
            with suppress(FileExistsError):  # the raw file, by an attempt that was interrupted
                os.link(path, raw if is_raw else place.path(layer))
            place.sync()
    if is_raw:
        with _published(place, layer) as new, _WRITE:
            write_blank(new, size_bytes=facts.virtual_size_bytes, backing=(str(raw), "raw"))
    _give_up(place, path)


def examine(place: Place, location: Location, *, in_place: bool) -> int:
    """The virtual size of an image that could be copied, or taken over."""
    if not in_place:
        return _facts_of(location).virtual_size_bytes
    path = _outside(place, location)
    status = _status(path)
    if status is None:
        raise _refusal(path, "there is no such file")
    facts = _facts_of(location)
    _check_adoptable(place, path, status, facts, None)
    if opened_by_qemu(path):
        raise _refusal(path, "a guest or a tool has it open")
    return facts.virtual_size_bytes


def _check_adoptable(
    place: Place, path: Path, status: os.stat_result, facts: ImageFacts, raw: Path | None
) -> None:
    """`raw` is where an interrupted attempt may have put the file already."""
    if facts.format not in (ImageFormat.QCOW2, ImageFormat.RAW, ImageFormat.ISO):
        raise _refusal(path, f"a {facts.format} image can only be copied")
    if facts.dirty:
        raise _refusal(path, "it was not closed properly; repair it first (qemu-img check -r all)")
    if facts.internal_snapshots:
        raise _refusal(
            path, "it has internal snapshots; delete them first (qemu-img snapshot -d), or copy it"
        )
    if status.st_dev != os.stat(place.directory).st_dev:
        raise _refusal(path, "it lies on another file system, so it can only be copied")
    if status.st_nlink > 1 and not (raw and raw.exists() and os.path.samestat(status, os.stat(raw))):
        raise _refusal(path, "it has further names (hard links), under which others could write to it")


def _outside(place: Place, location: Location) -> Path:
    """The path of an image that is none of the place's own files."""
    path = Path(location.address)
    if location.transport is not Transport.FILE or not path.is_absolute():
        raise _refusal(path, "it is no file with an absolute path")
    if os.path.realpath(path.parent) == os.path.realpath(place.directory):
        raise _refusal(path, "it is a file of the place itself")
    return path


def _facts_of(location: Location) -> ImageFacts:
    path = Path(location.address)
    if location.transport is not Transport.FILE:
        raise _refusal(path, "only files can be read here")
    try:
        claimed = ImageFormat(location.format)
    except ValueError:
        raise _refusal(path, f"the format {location.format!r} is not known") from None
    try:
        return images.inspect(path, claimed=claimed)
    except ImageRefused as error:
        raise _refusal(path, str(error.message)) from error
    except OSError as error:
        raise _refusal(path, f"it can't be read: {error.strerror}") from error


def _refusal(path: Path, reason: str) -> SourceRefused:
    return SourceRefused(source=path, field="source", reason=reason)


def _status(path: Path) -> os.stat_result | None:
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode):
        raise _refusal(path, "it is not a regular file")
    return status


def _give_up(place: Place, path: Path) -> None:
    """The old name of what was taken over."""
    with place.guard("take an image over"), _ADOPT_UNLINK:
        path.unlink(missing_ok=True)
        sync_path(path.parent, os.O_DIRECTORY)


@contextmanager
def _published(place: Place, layer: LayerId) -> Generator[Path]:
    """A new file that becomes the layer when the `with` ends well, and goes away when it doesn't."""
    path = place.path(layer, NEW)
    with place.guard("make a layer"):
        try:
            yield path
            with _PUBLISH:
                os.chmod(path, WRITABLE)
                sync_path(path)
                os.rename(path, place.path(layer))
                place.sync()
        except BaseException:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            raise
