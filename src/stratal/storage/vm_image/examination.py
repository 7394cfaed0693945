"""Looking at what was uploaded before it becomes an image. Called by the intake, and pure but for reading."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stratal.storage import images
from stratal.storage.images import ImageFacts, ImageFormat, InspectionLimits
from stratal.storage.vm_image.errors import WrongChecksum

_UPLOADED = "upload"


@dataclass(kw_only=True)
class Digest:
    """The checksums of the first `count` bytes, which may go on."""

    with_md5: bool
    count: int = 0

    def __post_init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)

    def update(self, data: bytes | memoryview) -> None:
        self._sha256.update(data)
        if self.with_md5:
            self._md5.update(data)
        self.count += len(data)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()


def wants_md5(declared: str | None) -> bool:
    """Whether the declared checksum is an MD5."""
    return declared is not None and len(declared.rpartition(":")[2]) == 32


def digest_of(blocks: Iterable[bytes], *, with_md5: bool) -> Digest:
    digest = Digest(with_md5=with_md5)
    for block in blocks:
        digest.update(block)
    return digest


def examine(
    path: Path, *, claimed: ImageFormat, declared: str | None, digest: Digest, limits: InspectionLimits
) -> ImageFacts:
    """The facts of a file that may become an image. Raises ImageRefused, ToolUnavailable, OSError.

    Its headers are read here first; only what follows nothing is then opened by qemu-img, with its format
    stated.
    """
    _check_checksum(declared, digest)
    facts = images.inspect(path, claimed=claimed, limits=limits, field=_UPLOADED)
    if facts.format not in (ImageFormat.RAW, ImageFormat.ISO):
        images.confirm(path, facts, field=_UPLOADED)
    return facts


def _check_checksum(declared: str | None, digest: Digest) -> None:
    if declared is None:
        return
    wanted = declared.rpartition(":")[2].lower()
    algorithm, found = ("MD5", digest.md5) if wants_md5(declared) else ("SHA-256", digest.sha256)
    if found != wanted:
        raise WrongChecksum(field="spec.checksum", algorithm=algorithm, found=found, declared=wanted)
