"""One connection to a pool: its images and the omap of the catalogue, over the untyped `rados` and `rbd`.

The only module that imports these two. Every call raises what `answers` makes of their errors.
"""

import importlib
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import msgspec

from stratal.storage.drivers.errors import BackendUnavailable
from stratal.storage.drivers.rbd.answers import Answers
from stratal.storage.drivers.rbd.image import FEATURES, Image
from stratal.storage.drivers.rbd.place import CATALOGUE_OBJECT, RbdPlace

_OMAP_PAGE = 1000
_BLOCKLIST_SECONDS = 3600


@cache
def _modules() -> tuple[Any, Any]:
    # Not at import time: the composition root can then name the driver where Ceph isn't installed.
    return importlib.import_module("rados"), importlib.import_module("rbd")


class _Usage(msgspec.Struct):
    bytes_used: int = 0
    max_avail: int = 0


class _PoolUsage(msgspec.Struct):
    name: str
    stats: _Usage


class _Df(msgspec.Struct):
    pools: list[_PoolUsage]


class Pool:
    """One connection to the pool of a place, made when it is first needed. Safe from several threads."""

    def __init__(self, place: RbdPlace) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._cluster: Any = None
        self._ioctx: Any = None
        self._answers = Answers(place)

    def connect(self) -> None:
        """Connect unless that is done, and anew where the cluster has shut the old connection out."""
        with self._lock:
            if self._answers.shut_out:
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
        with self._answers.to("connect"):
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
        self._cluster, self._ioctx = cluster, ioctx
        self._answers.shut_out = False

    def disconnect(self) -> None:
        if self._cluster is not None:
            with suppress(Exception):
                self._ioctx.close()
                self._cluster.shutdown()
        self._cluster = self._ioctx = None

    @property
    def address(self) -> str:
        """By which the cluster knows this connection; the same as in `Image.watchers`."""
        with self._answers.to("connect"):
            return str(self._cluster.get_addrs())

    def blocklist(self, address: str) -> None:
        """Let the cluster accept nothing from this client any more, and drop its watches and locks."""
        with self._answers.to("fence a dead client"):
            self._cluster.blocklist_add(address, _BLOCKLIST_SECONDS)

    def usage(self) -> tuple[int, int]:
        """Bytes used by the pool, and bytes that still fit in."""
        with self._answers.to("read"):
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
        with self._answers.to("open an image"):
            handle = rbd.Image(self._ioctx, name, read_only=read_only)
        try:
            if snapshot is not None:
                with self._answers.to("open a snapshot"):
                    handle.set_snap_by_id(snapshot)
            yield Image(handle, self._answers)
        except BaseException:
            with suppress(Exception):  # what went wrong first matters
                handle.close()
            raise
        with self._answers.to("close an image"):
            handle.close()

    def create(self, name: str, size_bytes: int, *, features: int = FEATURES) -> None:
        """Raises AlreadyThere."""
        _, rbd = _modules()
        order = self.place.object_bytes.bit_length() - 1
        with self._answers.to("create an image"):
            rbd.RBD().create(self._ioctx, name, size_bytes, order=order, old_format=False, features=features)

    def clone(self, parent: str, snapshot: str, name: str) -> None:
        _, rbd = _modules()
        order = self.place.object_bytes.bit_length() - 1
        with self._answers.to("clone an image"):
            rbd.RBD().clone(self._ioctx, parent, snapshot, self._ioctx, name, features=FEATURES, order=order)

    def rename(self, name: str, new: str) -> None:
        _, rbd = _modules()
        with self._answers.to("rename an image"):
            rbd.RBD().rename(self._ioctx, name, new)

    def remove(self, name: str) -> None:
        """Raises NotThere, InUse."""
        _, rbd = _modules()
        with self._answers.to("remove an image"):
            rbd.RBD().remove(self._ioctx, name)

    # The omap of the catalogue.

    def read(self, keys: Iterable[str]) -> dict[str, str]:
        """The values of those keys that exist, all as of one instant."""
        rados, _ = _modules()
        with self._answers.to("read the catalogue"), rados.ReadOpCtx() as op:
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
            with self._answers.to("read the catalogue"), rados.ReadOpCtx() as op:
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
        with self._answers.to("write the catalogue"), rados.WriteOpCtx() as op:
            op.new(0)  # the comparisons fail where the object does not exist
            for key, value in expected.items():
                op.omap_cmp(key, value)
            if kept:
                self._ioctx.set_omap(op, kept, tuple(wanted[key].encode() for key in kept))
            if gone:
                self._ioctx.remove_omap_keys(op, gone)
            self._ioctx.operate_write_op(op, CATALOGUE_OBJECT)
