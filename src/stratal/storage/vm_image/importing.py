"""Files on the server that become images: which ones may, and opening them without being led elsewhere.

Called by the service before it accepts one, and by the intake when it copies one. A path is walked from an
allowed directory down, and no step of it may be a symbolic link: neither `..` nor a link, nor one put there
after the check, leads out. Devices, pipes and sockets are never opened.
"""

import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stratal.kernel.errors import Invalid

MOST_FILES = 1000
_FIELD = "spec.path"
_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True)
class ImportableFile:
    """A file that may be taken in."""

    path: str
    size_bytes: int


class Imports:
    """The directories that the settings allow."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = tuple(directories)

    def check(self, text: str) -> Path:
        """The path, if there is a regular file that may be taken in. Raises Invalid."""
        with self.open(text):
            return Path(text)

    @contextmanager
    def open(self, text: str) -> Generator[int]:
        """A descriptor of the file, for reading. Raises Invalid."""
        directory, steps = self._split(text)
        try:
            descriptor = _open_below(directory, steps)
        except OSError as error:
            # ELOOP and ENOTDIR are what O_NOFOLLOW says to a link
            raise Invalid(field=_FIELD, reason=f"{text!r} cannot be opened: {error.strerror}") from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def files(self) -> list[ImportableFile]:
        """The regular files right in the directories, by path; at most `MOST_FILES`. Links are none."""
        found: list[ImportableFile] = []
        for directory in self._directories:
            try:
                with os.scandir(directory) as entries:
                    for entry in entries:
                        if entry.is_file(follow_symlinks=False):
                            size = entry.stat(follow_symlinks=False).st_size
                            found.append(ImportableFile(path=entry.path, size_bytes=size))
            except OSError as error:
                reason = f"{directory} cannot be read: {error.strerror}"
                raise Invalid(field="storage.import_directories", reason=reason) from error
        return sorted(found, key=lambda each: each.path)[:MOST_FILES]

    def _split(self, text: str) -> tuple[Path, tuple[str, ...]]:
        if not self._directories:
            raise Invalid(field=_FIELD, reason="storage.import_directories allows no directory")
        path = Path(text)
        if not text.startswith("/") or ".." in path.parts:
            raise Invalid(field=_FIELD, reason="must be an absolute path without '..'")
        for directory in self._directories:
            if path != directory and path.is_relative_to(directory):
                return directory, path.relative_to(directory).parts
        raise Invalid(field=_FIELD, reason="is not in a directory that storage.import_directories allows")


def _open_below(directory: Path, steps: tuple[str, ...]) -> int:
    """Raises OSError, and Invalid for what is no regular file."""
    at = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for step in steps[:-1]:
            below = os.open(step, _STEP, dir_fd=at)
            os.close(at)
            at = below
        # looked at before it is opened: opening a device or a pipe may have an effect, or wait for ever
        _require_regular(os.stat(steps[-1], dir_fd=at, follow_symlinks=False))
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(steps[-1], flags, dir_fd=at)
    finally:
        os.close(at)
    try:
        _require_regular(os.fstat(descriptor))
    except Invalid:
        os.close(descriptor)
        raise
    return descriptor


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Invalid(field=_FIELD, reason="is not a regular file")
