"""qemu-img on images that passed inspection: a second opinion, and copying into another format.

The image's format is always stated and its backing file always overridden with none, so that nothing that
happens to the file after its inspection makes QEMU open another one. Both run under resource limits, as
OpenStack does since a small image was found that keeps qemu-img busy for ever (CVE-2015-5162).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from stratal.kernel.operation import Operation
from stratal.storage.images import tool
from stratal.storage.images.facts import DamagedImage, HostileImage, ImageFacts, ImageFormat

_INFO_LIMITS = tool.Limits(address_space_bytes=2**30, cpu_seconds=30)
_INFO_SECONDS = 60.0
_CHECKED = (ImageFormat.QCOW2, ImageFormat.VMDK)
_CHECK_LIMITS = tool.Limits(address_space_bytes=2 * 2**30, cpu_seconds=120)
_CHECK_SECONDS = 600.0
_CONVERT_ADDRESS_SPACE_BYTES = 4 * 2**30
_SLOWEST_BYTES_PER_SECOND = 4 * 2**20
"""Below this a conversion counts as stuck: 1 TiB may take three days."""


class _Specific(msgspec.Struct):
    data: dict[str, Any] = {}


class _Found(msgspec.Struct, rename="kebab"):
    corruptions: int = 0
    check_errors: int = 0


class _Info(msgspec.Struct, rename="kebab"):
    virtual_size: int
    format: str
    backing_filename: str | None = None
    format_specific: _Specific | None = None


def address(path: Path, format: ImageFormat) -> str:
    """The image as a file name for QEMU: one file of one format, without backing file."""
    file = {"driver": "file", "filename": str(path), "locking": "on"}
    node: dict[str, object] = {"driver": format.qemu_driver, "file": file}
    if format is ImageFormat.QCOW2:
        node["backing"] = None
    return "json:" + json.dumps(node)


def confirm(path: Path, facts: ImageFacts, *, field: str = "image", keep: Sequence[int] = ()) -> None:
    """Have QEMU open the inspected image, and refuse it if QEMU sees something else than inspection did,
    or finds its tables damaged. Reads no data. Of a raw image it could see nothing else.

    Raises HostileImage, DamagedImage, tool.ToolUnavailable.
    """
    if facts.format.qemu_driver == "raw":
        return
    arguments = ["qemu-img", "info", "--output=json", "--", address(path, facts.format)]
    try:
        said = tool.run(arguments, deadline_seconds=_INFO_SECONDS, limits=_INFO_LIMITS, keep=keep)
        info = msgspec.json.decode(said, type=_Info)
    except (tool.ToolFailed, msgspec.DecodeError) as error:
        raise DamagedImage(field=field, reason=f"QEMU can't open it: {error}") from error
    data = info.format_specific.data if info.format_specific else {}
    if info.backing_filename is not None or "data-file" in data:
        raise HostileImage(field=field, reason="QEMU finds that it names another file")
    if info.virtual_size != facts.virtual_size_bytes:
        sizes = f"QEMU takes it for {info.virtual_size} bytes, its header says {facts.virtual_size_bytes}"
        raise DamagedImage(field=field, reason=sizes)
    if facts.format in _CHECKED:
        _check(path, facts, field=field, keep=keep)


def _check(path: Path, facts: ImageFacts, *, field: str, keep: Sequence[int]) -> None:
    """Refuse tables that point beyond the end of the file, which QEMU would silently read as zeros."""
    arguments = ["qemu-img", "check", "--output=json", "--", address(path, facts.format)]
    try:
        said = tool.run(
            arguments, deadline_seconds=_CHECK_SECONDS, limits=_CHECK_LIMITS, keep=keep, accept=(0, 2, 3)
        )
        found = msgspec.json.decode(said, type=_Found)
    except (tool.ToolFailed, msgspec.DecodeError) as error:
        raise DamagedImage(field=field, reason=f"QEMU can't check it: {error}") from error
    if found.corruptions or found.check_errors:
        wrong = found.corruptions + found.check_errors
        raise DamagedImage(field=field, reason=f"its tables are wrong in {wrong} places; truncated, perhaps")


def convert(
    path: Path,
    facts: ImageFacts,
    *,
    target: Path,
    target_format: ImageFormat = ImageFormat.QCOW2,
    into_existing: bool = False,
    operation: Operation | None = None,
    keep: Sequence[int] = (),
) -> None:
    """Copy an inspected image into `target`, which is replaced.

    With `into_existing` the target must be an image that is at least as large and reads as zeros. Syncs
    nothing to disk. Raises DamagedImage where the image can't be read to its end, tool.ToolFailed for what
    is wrong with the target, tool.ToolUnavailable, Cancelled.
    """
    seconds = 600 + facts.virtual_size_bytes // _SLOWEST_BYTES_PER_SECOND
    limits = tool.Limits(address_space_bytes=_CONVERT_ADDRESS_SPACE_BYTES, cpu_seconds=seconds)
    existing = ["-n", "--target-is-zero"] if into_existing else []
    driver = target_format.qemu_driver
    arguments = ["qemu-img", "convert", "-p", "-W", *existing, "-O", driver, "--"]
    if operation is not None:
        operation.expect(facts.virtual_size_bytes)
    try:
        tool.run(
            [*arguments, address(path, facts.format), str(target)],
            deadline_seconds=seconds,
            limits=limits,
            watch=tool.Watch(operation=operation, total_bytes=facts.virtual_size_bytes),
            keep=keep,
        )
    except tool.ToolFailed as error:
        said = str(error.fields["stderr"])
        if "error while reading" in said or "Could not open 'json:" in said:
            raise DamagedImage(field="image", reason=f"QEMU can't read it: {said}") from error
        raise
    if operation is not None:
        operation.advance(facts.virtual_size_bytes)
