"""An open RBD image, typed. Made by `pool`, used by everything in this package that looks into images."""

import errno
from dataclasses import dataclass
from typing import Any

from stratal.storage.drivers.rbd.answers import Answers

# layering, exclusive-lock, object-map, fast-diff, deep-flatten. Without the last, layers of a run that are
# frozen would keep their parent when the image is flattened.
FEATURES = 1 | 4 | 8 | 16 | 32
# striping v2, data pool and operations change nothing for us; journaling, mirroring and migration do.
TOLERATED_FEATURES = FEATURES | 2 | 128 | 256
_TRASH_NAMESPACE = 2


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    id: int
    name: str
    size_bytes: int
    #: removed, but kept for the clones that hang on it
    trashed: bool


@dataclass(frozen=True, kw_only=True)
class Change:
    """A range that differs between two snapshots; `exists` is False where objects are gone."""

    offset: int
    length: int
    exists: bool


class Image:
    """An open image. Not to be used after its `with`."""

    def __init__(self, handle: Any, answers: Answers) -> None:
        self._handle = handle
        self._answers = answers

    @property
    def size_bytes(self) -> int:
        """Of the head, or of the snapshot the image was opened at."""
        with self._answers.to("read"):
            return int(self._handle.size())

    @property
    def features(self) -> int:
        with self._answers.to("read"):
            return int(self._handle.features())

    @property
    def has_parent(self) -> bool:
        with self._answers.to("read"):
            try:
                return int(self._handle.overlap()) > 0 or bool(self._handle.get_parent_image_spec())
            except Exception as error:
                if getattr(error, "errno", None) == errno.ENOENT:
                    return False
                raise

    def snapshots(self) -> list[Snapshot]:
        with self._answers.to("read"):
            return [
                Snapshot(
                    id=int(each["id"]),
                    name=str(each["name"]),
                    size_bytes=int(each["size"]),
                    trashed=each["namespace"] == _TRASH_NAMESPACE,
                )
                for each in self._handle.list_snaps()
            ]

    def watchers(self) -> set[str]:
        """The addresses of all who have the image open for writing, this process included."""
        with self._answers.to("read"):
            return {str(each["addr"]) for each in self._handle.watchers_list()}

    def changes(
        self, length: int, *, offset: int = 0, since: str | None = None, exact: bool = False
    ) -> list[Change]:
        """What differs between the snapshot `since`, or nothing, and what the image was opened at.

        By object maps, in whole objects and at once; `exact` asks each object, and must not be used without
        `since` on a clone, whose zeroed objects it does not list.
        """
        found: list[Change] = []

        def add(at: int, size: int, exists: bool) -> None:
            found.append(Change(offset=at, length=size, exists=bool(exists)))

        with self._answers.to("list changes"):
            self._handle.diff_iterate(
                offset, length, since, add, include_parent=False, whole_object=not exact
            )
        return found

    def read(self, offset: int, length: int) -> bytes:
        with self._answers.to("read"):
            return bytes(self._handle.read(offset, length))

    def write(self, offset: int, data: bytes) -> None:
        with self._answers.to("write"):
            self._handle.write(data, offset)

    def zero(self, offset: int, length: int) -> None:
        with self._answers.to("write"):
            self._handle.write_zeroes(offset, length)

    def flush(self) -> None:
        with self._answers.to("write"):
            self._handle.flush()

    def discard(self, offset: int, length: int) -> None:
        with self._answers.to("discard"):
            self._handle.discard(offset, length)

    def resize(self, size_bytes: int) -> None:
        with self._answers.to("resize"):
            self._handle.resize(size_bytes)

    def create_snapshot(self, name: str) -> int:
        with self._answers.to("take a snapshot"):
            self._handle.create_snap(name)
            return int(self._handle.snap_get_id(name))

    def remove_snapshot(self, snapshot: Snapshot) -> None:
        with self._answers.to("remove a snapshot"):
            self._handle.remove_snap_by_id(snapshot.id)

    def trash_snapshot(self, name: str) -> None:
        """Remove a snapshot, or hide it until the last clone that hangs on it is gone."""
        with self._answers.to("remove a snapshot"):
            self._handle.remove_snap(name)

    def has_children(self, snapshot: Snapshot) -> bool:
        with self._answers.to("list clones"):
            self._handle.set_snap_by_id(snapshot.id)
            try:
                return any(True for _ in self._handle.list_children2())
            finally:
                self._handle.set_snap(None)  # back to the head

    def flatten(self) -> None:
        with self._answers.to("flatten"):
            self._handle.flatten()

    def enable(self, features: int) -> None:
        with self._answers.to("enable features"):
            self._handle.update_features(features, True)
            self._handle.rebuild_object_map()
