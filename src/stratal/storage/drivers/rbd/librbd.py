"""librados and librbd, typed: the only module that imports the untyped `rados` and `rbd`.

Every call raises the typed errors of the contract for what only time or an administrator can change, and
`NotThere`, `AlreadyThere`, `InUse` or `Contended` for what the callers in this package act upon.
"""

import errno
import importlib
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from stratal.storage.drivers.errors import BackendUnavailable, NoSpace
from stratal.storage.drivers.rbd.place import CATALOGUE_OBJECT, RbdPlace

# layering, exclusive-lock, object-map, fast-diff, deep-flatten. Without the last, layers of a run that are
# frozen would keep their parent when the image is flattened.
FEATURES = 1 | 4 | 8 | 16 | 32
# striping v2, data pool and operations change nothing for us; journaling, mirroring and migration do.
TOLERATED_FEATURES = FEATURES | 2 | 128 | 256
_TRASH_NAMESPACE = 2
_OMAP_PAGE = 1000
_BLOCKLIST_SECONDS = 3600


class NotThere(Exception):
    """No such image, snapshot or pool."""


class AlreadyThere(Exception):
    """The name is taken."""


class InUse(Exception):
    """Somebody has the image open, or it still has snapshots."""


class Contended(Exception):
    """A compared value had changed meanwhile."""


_SIGNALS: dict[int, type[Exception]] = {
    errno.ENOENT: NotThere,
    errno.EEXIST: AlreadyThere,
    errno.EBUSY: InUse,
    errno.ENOTEMPTY: InUse,
    errno.EROFS: InUse,
    errno.ECANCELED: Contended,
}
_SILENCE = {errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN, errno.EIO, errno.EPERM, errno.EACCES}


@cache
def _modules() -> tuple[Any, Any]:
    # Not at import time: the composition root can then name the driver where Ceph isn't installed.
    return importlib.import_module("rados"), importlib.import_module("rbd")


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


class _Usage(msgspec.Struct):
    bytes_used: int = 0
    max_avail: int = 0


class _PoolUsage(msgspec.Struct):
    name: str
    stats: _Usage


class _Df(msgspec.Struct):
    pools: list[_PoolUsage]


class Image:
    """An open image. Not to be used after its `with`."""

    def __init__(self, handle: Any, pool: "Pool") -> None:
        self._handle = handle
        self._pool = pool

    @property
    def size_bytes(self) -> int:
        """Of the head, or of the snapshot the image was opened at."""
        with self._pool.answering("read"):
            return int(self._handle.size())

    @property
    def features(self) -> int:
        with self._pool.answering("read"):
            return int(self._handle.features())

    @property
    def has_parent(self) -> bool:
        with self._pool.answering("read"):
            try:
                return int(self._handle.overlap()) > 0 or bool(self._handle.get_parent_image_spec())
            except Exception as error:
                if getattr(error, "errno", None) == errno.ENOENT:
                    return False
                raise

    def snapshots(self) -> list[Snapshot]:
        with self._pool.answering("read"):
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
        with self._pool.answering("read"):
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

        with self._pool.answering("list changes"):
            self._handle.diff_iterate(
                offset, length, since, add, include_parent=False, whole_object=not exact
            )
        return found

    def read(self, offset: int, length: int) -> bytes:
        with self._pool.answering("read"):
            return bytes(self._handle.read(offset, length))

    def write(self, offset: int, data: bytes) -> None:
        with self._pool.answering("write"):
            self._handle.write(data, offset)

    def zero(self, offset: int, length: int) -> None:
        with self._pool.answering("write"):
            self._handle.write_zeroes(offset, length)

    def flush(self) -> None:
        with self._pool.answering("write"):
            self._handle.flush()

    def discard(self, offset: int, length: int) -> None:
        with self._pool.answering("discard"):
            self._handle.discard(offset, length)

    def resize(self, size_bytes: int) -> None:
        with self._pool.answering("resize"):
            self._handle.resize(size_bytes)

    def create_snapshot(self, name: str) -> int:
        with self._pool.answering("take a snapshot"):
            self._handle.create_snap(name)
            return int(self._handle.snap_get_id(name))

    def remove_snapshot(self, snapshot: Snapshot) -> None:
        with self._pool.answering("remove a snapshot"):
            self._handle.remove_snap_by_id(snapshot.id)

    def trash_snapshot(self, name: str) -> None:
        """Remove a snapshot, or hide it until the last clone that hangs on it is gone."""
        with self._pool.answering("remove a snapshot"):
            self._handle.remove_snap(name)

    def has_children(self, snapshot: Snapshot) -> bool:
        with self._pool.answering("list clones"):
            self._handle.set_snap_by_id(snapshot.id)
            try:
                return any(True for _ in self._handle.list_children2())
            finally:
                self._handle.set_snap(None)  # back to the head

    def flatten(self) -> None:
        with self._pool.answering("flatten"):
            self._handle.flatten()

    def enable(self, features: int) -> None:
        with self._pool.answering("enable features"):
            self._handle.update_features(features, True)
            self._handle.rebuild_object_map()


class Pool:
    """One connection to the pool of a place, made when it is first needed. Safe from several threads."""

    def __init__(self, place: RbdPlace) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._cluster: Any = None
        self._ioctx: Any = None
        self._shut_out = False

    def connect(self) -> None:
        """Connect unless that is done, and anew where the cluster has shut the old connection out."""
        with self._lock:
            if self._shut_out:
                # Not closed: other threads may be in the middle of a call, which keeps what it needs alive.
                self._cluster = self._ioctx = None
            if self._cluster is None:
                self._connect()

    def _connect(self) -> None:
        rados, _ = _modules()
        seconds = str(self.place.timeout_seconds)
        options = {
            "client_mount_timeout": seconds,
            "rados_mon_op_timeout": seconds,
            "rados_osd_op_timeout": seconds,
            "rbd_default_clone_format": "2",
        }
        with self.answering("connect"):
            cluster = rados.Rados(conffile=str(self.place.conf), rados_id=self.place.user, conf=options)
            cluster.connect()
            try:
                ioctx = cluster.open_ioctx(self.place.pool)
            except rados.ObjectNotFound:
                cluster.shutdown()
                raise BackendUnavailable(place=self.place, reason="there is no such pool") from None
            except BaseException:
                cluster.shutdown()
                raise
            if self.place.namespace:
                ioctx.set_namespace(self.place.namespace)
            # A full pool otherwise makes writers wait until there is room again.
            ioctx.set_osdmap_full_try()
        self._cluster, self._ioctx, self._shut_out = cluster, ioctx, False

    def disconnect(self) -> None:
        if self._cluster is not None:
            with suppress(Exception):
                self._ioctx.close()
                self._cluster.shutdown()
        self._cluster = self._ioctx = None

    @property
    def address(self) -> str:
        """By which the cluster knows this connection; the same as in `Image.watchers`."""
        with self.answering("connect"):
            return str(self._cluster.get_addrs())

    def blocklist(self, address: str) -> None:
        """Let the cluster accept nothing from this client any more, and drop its watches and locks."""
        with self.answering("fence a dead client"):
            self._cluster.blocklist_add(address, _BLOCKLIST_SECONDS)

    def usage(self) -> tuple[int, int]:
        """Bytes used by the pool, and bytes that still fit in."""
        with self.answering("read"):
            code, out, status = self._cluster.mon_command('{"prefix": "df", "format": "json"}', b"")
        if code != 0:
            raise BackendUnavailable(place=self.place, reason=status)
        for pool in msgspec.json.decode(out, type=_Df).pools:
            if pool.name == self.place.pool:
                return pool.stats.bytes_used, pool.stats.max_avail
        raise BackendUnavailable(place=self.place, reason="there is no such pool")

    # Images.

    @contextmanager
    def open(self, name: str, *, snapshot: int | None = None, read_only: bool = False) -> Generator[Image]:
        """Raises NotThere. Read-only opening leaves no watch, so that nobody sees it."""
        _, rbd = _modules()
        with self.answering("open an image"):
            handle = rbd.Image(self._ioctx, name, read_only=read_only)
        try:
            if snapshot is not None:
                with self.answering("open a snapshot"):
                    handle.set_snap_by_id(snapshot)
            yield Image(handle, self)
        except BaseException:
            with suppress(Exception):  # what went wrong first matters
                handle.close()
            raise
        with self.answering("close an image"):
            handle.close()

    def create(self, name: str, size_bytes: int, *, features: int = FEATURES) -> None:
        """Raises AlreadyThere."""
        _, rbd = _modules()
        order = self.place.object_bytes.bit_length() - 1
        with self.answering("create an image"):
            rbd.RBD().create(self._ioctx, name, size_bytes, order=order, old_format=False, features=features)

    def clone(self, parent: str, snapshot: str, name: str) -> None:
        _, rbd = _modules()
        order = self.place.object_bytes.bit_length() - 1
        with self.answering("clone an image"):
            rbd.RBD().clone(self._ioctx, parent, snapshot, self._ioctx, name, features=FEATURES, order=order)

    def rename(self, name: str, new: str) -> None:
        _, rbd = _modules()
        with self.answering("rename an image"):
            rbd.RBD().rename(self._ioctx, name, new)

    def remove(self, name: str) -> None:
        """Raises NotThere, InUse."""
        _, rbd = _modules()
        with self.answering("remove an image"):
            rbd.RBD().remove(self._ioctx, name)

    # The omap of the catalogue.

    def read(self, keys: Iterable[str]) -> dict[str, str]:
        """The values of those keys that exist, all as of one instant."""
        rados, _ = _modules()
        with self.answering("read the catalogue"), rados.ReadOpCtx() as op:
            entries, _ = self._ioctx.get_omap_vals_by_keys(op, tuple(keys))
            try:
                self._ioctx.operate_read_op(op, CATALOGUE_OBJECT)
            except rados.ObjectNotFound:
                return {}
            return {str(key): bytes(value).decode() for key, value in entries}

    def read_all(self) -> dict[str, str]:
        """Everything, in pages: not as of one instant."""
        rados, _ = _modules()
        found: dict[str, str] = {}
        after = ""
        while True:
            with self.answering("read the catalogue"), rados.ReadOpCtx() as op:
                entries, _ = self._ioctx.get_omap_vals(op, after, "", _OMAP_PAGE)
                try:
                    self._ioctx.operate_read_op(op, CATALOGUE_OBJECT)
                except rados.ObjectNotFound:
                    return {}
                page = {str(key): bytes(value).decode() for key, value in entries}
            found.update(page)
            if len(page) < _OMAP_PAGE:
                return found
            after = max(page)

    def compare_and_set(self, expected: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        """Set all of `wanted` at once if all of `expected` is so, where "" stands for no such key.

        Raises Contended if not.
        """
        rados, _ = _modules()
        gone = tuple(key for key, value in wanted.items() if not value)
        kept = tuple(key for key, value in wanted.items() if value)
        with self.answering("write the catalogue"), rados.WriteOpCtx() as op:
            op.new(0)  # the comparisons fail where the object does not exist
            for key, value in expected.items():
                op.omap_cmp(key, value)
            if kept:
                self._ioctx.set_omap(op, kept, tuple(wanted[key].encode() for key in kept))
            if gone:
                self._ioctx.remove_omap_keys(op, gone)
            self._ioctx.operate_write_op(op, CATALOGUE_OBJECT)

    @contextmanager
    def answering(self, action: str) -> Generator[None]:
        """Translate what goes wrong in the libraries."""
        try:
            yield
        except Exception as error:
            code = getattr(error, "errno", None)
            if type(error).__module__ not in ("rados", "rbd") or not isinstance(code, int):
                raise
            code = abs(code)
            if code in _SIGNALS:
                raise _SIGNALS[code](str(error)) from error
            if code in (errno.ENOSPC, errno.EDQUOT):
                raise NoSpace(place=self.place, action=action) from error
            if code == errno.ESHUTDOWN:  # fenced by somebody who took this process for dead
                self._shut_out = True
                raise BackendUnavailable(place=self.place, reason="it shut this client out") from error
            if code in _SILENCE:
                raise BackendUnavailable(place=self.place, reason=f"{action}: {error}") from error
            raise
