"""The qemu-img commands of the driver, and what their failures mean to a layer.

Images are addressed by absolute path with the format stated; nothing is ever probed.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from stratal.kernel.errors import StratalError
from stratal.storage.drivers.contract import CheckReport, LayerId
from stratal.storage.drivers.errors import BackendUnavailable, LayerBusy, LayerDamaged, NoSpace
from stratal.storage.drivers.qcow2.chain import LayerFile
from stratal.storage.drivers.qcow2.place import Place
from stratal.storage.images import tool

_SHORT_SECONDS = 120.0
_SLOWEST_BYTES_PER_SECOND = 4 * 2**20
_FULL = ("No space left on device", "Disk quota exceeded", "File too large")
_LOCKED = ("Failed to get ", "Is another process using the image", "Resource temporarily unavailable")
_GONE = ("Input/output error", "Stale file handle", "Transport endpoint", "No such file or directory")


class Tools:
    """qemu-img, for the layers of one place. All verbs raise NoSpace, LayerBusy, BackendUnavailable,
    LayerDamaged."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def commit(
        self, blank: Path, file: LayerFile, base: LayerFile, *, watch: tool.Watch, keep: Sequence[int]
    ) -> None:
        """Write the file's data into its backing file, and leave the file itself alone.

        `blank` is an empty layer on the file, good for this one call: qemu-img insists on opening the topmost
        file for writing, which a frozen one is not. Doing it again, after it was done or half done, leads to
        the same. Also raises ToolStopped, Cancelled.
        """
        seconds = _SHORT_SECONDS + file.size_bytes / _SLOWEST_BYTES_PER_SECOND
        arguments = ["commit", "-p", "-f", "qcow2", "-b", str(base.path), "--", str(blank)]
        self._run(arguments, file.layer, "merge", deadline_seconds=seconds, watch=watch, keep=keep)

    def convert(self, file: LayerFile, target: Path, *, watch: tool.Watch, keep: Sequence[int]) -> None:
        """Write what the file and all below it read as into the target, a blank root as large as the file.

        Syncs nothing to disk. Also raises ToolStopped, Cancelled.
        """
        seconds = _SHORT_SECONDS + file.size_bytes / _SLOWEST_BYTES_PER_SECOND
        existing = ["-n", "--target-is-zero", "-O", "qcow2"]
        arguments = ["convert", "-p", "-W", *existing, "-f", "qcow2", "--", str(file.path), str(target)]
        self._run(arguments, file.layer, "copy it", deadline_seconds=seconds, watch=watch, keep=keep)

    def hang_on(self, path: Path, layer: LayerId, below: LayerFile | None, *, keep: Sequence[int]) -> None:
        """Change which backing file the header names, and nothing else: the data must be safe already."""
        backing = ["-b", ""] if below is None else ["-b", str(below.path), "-F", below.format]
        arguments = ["rebase", "-u", "-f", "qcow2", *backing, "--", str(path)]
        self._run(arguments, layer, "change its parent", keep=keep)

    def resize(self, path: Path, layer: LayerId, size_bytes: int, *, keep: Sequence[int]) -> None:
        arguments = ["resize", "-q", "-f", "qcow2", "--", str(path), str(size_bytes)]
        self._run(arguments, layer, "grow it", keep=keep)

    def check(self, file: LayerFile) -> CheckReport:
        """Compare the file's reference counts with its tables. Reads nothing below it."""
        node = {"driver": "qcow2", "file": _protocol(file.path), "backing": None}
        arguments = ["check", "--output=json", "--", _json(node)]
        said = self._run(arguments, file.layer, "check it", accept=(0, 2, 3))
        found = msgspec.json.decode(said, type=_Check)
        counts = ((found.corruptions, "corruptions"), (found.check_errors, "unreadable parts"))
        damages = tuple(f"{file.path.name}: {count} {what}" for count, what in counts if count)
        return CheckReport(damages=damages, leaked_bytes=found.leaks * file.cluster_bytes)

    def repair_leaks(self, path: Path, layer: LayerId, *, keep: Sequence[int]) -> None:
        """Give back clusters that a killed writer allocated and did not use."""
        node = {"driver": "qcow2", "file": _protocol(path), "backing": None}
        self._run(["check", "-q", "-r", "leaks", "--", _json(node)], layer, "check it", keep=keep)

    def map(
        self, files: Sequence[LayerFile], output: IO[bytes], *, within: bool, beside_writers: bool
    ) -> None:
        """List what the files have data for, as JSON lines. `within` hides what is below the last one;
        `beside_writers` takes no locks."""
        seconds = _SHORT_SECONDS + files[0].size_bytes / _SLOWEST_BYTES_PER_SECOND
        image = _json(_nested(files)) if within else str(files[0].path)
        form = [] if within else ["-f", "qcow2"]
        form += ["--force-share"] if beside_writers else []
        arguments = ["map", "--output=json", *form, "--", image]
        self._run(arguments, files[0].layer, "list its extents", deadline_seconds=seconds, output=output)

    def _run(
        self,
        arguments: Sequence[str],
        layer: LayerId,
        action: str,
        *,
        deadline_seconds: float = _SHORT_SECONDS,
        watch: tool.Watch | None = None,
        keep: Sequence[int] = (),
        output: IO[bytes] | None = None,
        accept: Collection[int] = (0,),
    ) -> bytes:
        try:
            return tool.run(
                ["qemu-img", *arguments],
                deadline_seconds=deadline_seconds,
                watch=watch,
                keep=keep,
                output=output,
                accept=accept,
            )
        except (tool.ToolFailed, tool.ToolUnavailable) as error:
            raise translate(error, self._place, layer, action) from error


def translate(error: StratalError, place: Place, layer: LayerId, action: str) -> StratalError:
    """What a tool's failure means to the layer it worked on."""
    if isinstance(error, tool.ToolUnavailable):
        return BackendUnavailable(place=place, reason=error.message)
    place.require()
    said = str(error.fields["stderr"])
    if any(sign in said for sign in _FULL):
        return NoSpace(place=place, action=f"{action} ({layer})")
    if any(sign in said for sign in _LOCKED):
        return LayerBusy(layer=layer, reason="a guest or a tool has its file open")
    if any(sign in said for sign in _GONE):
        return BackendUnavailable(place=place, reason=said)
    return LayerDamaged(layer=layer, reason=said)


class _Check(msgspec.Struct, rename="kebab"):
    corruptions: int = 0
    leaks: int = 0
    check_errors: int = 0


def _protocol(path: Path) -> dict[str, object]:
    return {"driver": "file", "filename": str(path), "locking": "on"}


def _nested(files: Sequence[LayerFile]) -> dict[str, object]:
    """The files as one chain that ends with the last of them, whatever that hangs on."""
    node: dict[str, object] | None = None
    for file in reversed(files):
        below = {} if file.format == "raw" else {"backing": node}
        node = {"driver": file.format, "file": _protocol(file.path), **below}
    assert node is not None
    return node


def _json(node: Mapping[str, object]) -> str:
    return "json:" + json.dumps(node)
