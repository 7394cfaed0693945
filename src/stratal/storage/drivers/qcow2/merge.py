"""Merging: a layer takes in what lies below it.

Every intermediate state reads right, so a merge can be killed, cancelled or run out of space anywhere and be
taken up again:

- *Absorbing* begins by marking the parent as absorbed, in one atomic step. From then on it is no layer, and
  the child consists of both files. Only then is data moved.
- *Down*, the child's data is written into the parent's file (`qemu-img commit`). As long as the child hangs
  on it, the child's own clusters hide every one that changes. Then one rename puts the parent's file in the
  child's place; whoever hangs on the child names it by path and notices nothing.
- *Up*, the parent's data is written into the child's file where that has none, which changes nothing it
  reads. Once that is flushed, the child's header is made to name the grandparent. Not `qemu-img rebase`
  without -u: it changes the header before its tables are flushed, so that a kill in between loses data.

Neither may write into a file that somebody else reads, because a reader may see half of a table. So both
first try in place, which QEMU's own locks forbid beside a reader and which stops when a reader comes; and
otherwise copy the child's file, merge up into the copy, and rename that. Readers keep what they have open.

A child with little of its own that becomes a root is instead copied in one go, with all that it reads, and
the copy renamed: to `qemu-img convert` that costs a fraction of pulling the data through two NBD servers.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from stratal.kernel.effects import Effect
from stratal.kernel.operation import Operation
from stratal.storage.drivers.contract import Direction, LayerId
from stratal.storage.drivers.errors import LayerBusy
from stratal.storage.drivers.qcow2.blank import write_blank
from stratal.storage.drivers.qcow2.chain import FROZEN_IN_MERGE, LayerFile
from stratal.storage.drivers.qcow2.duplicate import duplicate
from stratal.storage.drivers.qcow2.export import Exports
from stratal.storage.drivers.qcow2.extents import Mapped, without
from stratal.storage.drivers.qcow2.locks import Locks, opened_by_qemu, unwritten_by_qemu
from stratal.storage.drivers.qcow2.place import ABSORBED, ALIAS, NEW, Place, sync_path
from stratal.storage.drivers.qcow2.pull import Target, pull
from stratal.storage.drivers.qcow2.tools import Tools
from stratal.storage.images.tool import ToolStopped, Watch

_MARK = Effect("qcow2.merge.mark")
_ALIAS = Effect("qcow2.merge.alias")
_OPEN_UP = Effect("qcow2.merge.open_up")
_GROW = Effect("qcow2.merge.grow")
_COMMIT = Effect("qcow2.merge.commit")
_MEND = Effect("qcow2.merge.mend")
_COPY = Effect("qcow2.merge.copy")
_PULL = Effect("qcow2.merge.pull")
_HANG = Effect("qcow2.merge.hang")
_REPLACE = Effect("qcow2.merge.replace")
_CLOSE = Effect("qcow2.merge.close")
_REMOVE = Effect("qcow2.merge.remove")
_UNMARK = Effect("qcow2.merge.unmark")

_LITTLE = 8
"""A file is copied once more where those below it hold so many times as much."""


class Merges:
    """The merges of one place. The caller holds the driver's own locks, given as `keep`."""

    def __init__(self, place: Place, locks: Locks, tools: Tools, exports: Exports) -> None:
        self._place = place
        self._locks = locks
        self._tools = tools
        self._exports = exports

    def mark_absorbed(self, parent: LayerFile, heir: LayerId) -> None:
        """From here on `parent` is a part of `heir`, which alone hangs on it. Idempotent, durable."""
        with self._place.guard("mark a layer as absorbed"), _MARK:
            self._write_mark(parent.path, heir)

    def mark_alias(self, path: Path, heir: LayerId) -> None:
        """From here on the file's name is no more than another one of the heir. Idempotent, durable."""
        with self._place.guard("mark a name"), _ALIAS:
            self._write_mark(path, ALIAS + heir)

    def _write_mark(self, path: Path, text: str) -> None:
        written = path.with_suffix(NEW)
        written.write_text(text)
        sync_path(written)
        os.rename(written, path.with_suffix(ABSORBED))
        self._place.sync()

    def take_in(self, files: list[LayerFile], direction: Direction, operation: Operation, keep: int) -> None:
        """Merge the absorbed file that the chain's first file hangs on into that."""
        into, base = files[0], files[1]
        if direction is Direction.DOWN and self._commit(into, base, operation, keep):
            return
        self.gather(files, 2, operation, keep)

    def gather(self, files: list[LayerFile], stop: int, operation: Operation, keep: int) -> None:
        """Copy what lies between a chain's first file and its `stop`-th into it, and hang it there."""
        into, between = files[0], files[1:stop]
        below = files[stop] if stop < len(files) else None
        converted = (
            below is None and _little(into, between) and self._gather_by_converting(into, operation, keep)
        )
        if not converted and not self._gather_in_place(into, between, below, operation, keep):
            self._gather_in_copy(into, between, below, operation, keep)
        for file in between:
            # A file of a real layer further down is not this layer's to remove.
            if not file.private:
                break
            self.discard(file.path)

    def discard(self, path: Path) -> None:
        """Remove a private file that nothing hangs on any more, and its mark. Idempotent."""
        with self._place.guard("remove what was merged"), _REMOVE:
            path.unlink(missing_ok=True)
            self._place.sync()
        self._unmark(path)

    def rename_below(self, file: LayerFile, below: LayerFile) -> None:
        """Let a header name its file below by another of that file's names. Raises LayerBusy."""
        with self._place.guard("rename what a layer hangs on"):
            self.open_up(file)
            try:
                with _HANG:
                    self._tools.hang_on(file.path, file.layer, below, keep=())
                    sync_path(file.path)
            finally:
                self._close(file)

    def take_place(self, base: LayerFile, into: LayerFile) -> None:
        """Give a merged file the name of the layer that it holds now, beside its own: guests go on to know it
        by that. Idempotent."""
        fresh = into.path.with_suffix(NEW)
        with self._place.guard("merge"), _REPLACE:
            os.chmod(base.path, into.mode)
            sync_path(base.path)
            if not os.path.samefile(base.path, into.path):
                fresh.unlink(missing_ok=True)
                os.link(base.path, fresh)
                os.rename(fresh, into.path)
            self._place.sync()

    def _unmark(self, path: Path) -> None:
        with self._place.guard("remove a mark"), _UNMARK:
            path.with_suffix(ABSORBED).unlink(missing_ok=True)
            self._place.sync()

    def _commit(self, into: LayerFile, base: LayerFile, operation: Operation, keep: int) -> bool:
        """Merge down; False if somebody reads the base, so that it can't be written to."""
        try:
            with self._place.guard("merge"), unwritten_by_qemu(into.path, into.layer):
                if opened_by_qemu(base.path):
                    return False
                self.open_up(base)
                if base.size_bytes < into.size_bytes:
                    with _GROW:
                        self._tools.resize(base.path, base.layer, into.size_bytes, keep=(keep,))
                operation.expect(into.size_bytes)
                watch = Watch(
                    operation=operation,
                    total_bytes=into.size_bytes,
                    stop_when=lambda: self._locks.wanted(into.layer, base.layer),
                )
                blank = into.path.with_suffix(NEW)
                with operation.phase("merge down"), _COMMIT:
                    write_blank(blank, size_bytes=into.size_bytes, backing=(str(into.path), into.format))
                    try:
                        self._tools.commit(blank, into, base, watch=watch, keep=(keep,))
                    finally:
                        blank.unlink()
                self._mend(base, keep)
                with operation.phase("sync"), _REPLACE:
                    os.chmod(base.path, into.mode)
                    sync_path(base.path)
                    os.rename(base.path, into.path)
                    self._place.sync()
        except (LayerBusy, ToolStopped):
            return False
        self._unmark(base.path)
        operation.advance(into.size_bytes)
        return True

    def _gather_in_place(
        self,
        into: LayerFile,
        between: Sequence[LayerFile],
        below: LayerFile | None,
        operation: Operation,
        keep: int,
    ) -> bool:
        """Merge up into the file itself; False if somebody else has it open."""
        try:
            with self._place.guard("merge"):
                if opened_by_qemu(into.path):
                    return False
                self.open_up(into)
                self._pull(into, into, between, operation, keep)
                self._mend(into, keep)
                with operation.phase("sync"), _HANG:
                    sync_path(into.path)
                    self._tools.hang_on(into.path, into.layer, below, keep=(keep,))
                    sync_path(into.path)
                self._close(into)
        except (LayerBusy, ToolStopped):
            self._close(into)
            return False
        return True

    def _gather_in_copy(
        self,
        into: LayerFile,
        between: Sequence[LayerFile],
        below: LayerFile | None,
        operation: Operation,
        keep: int,
    ) -> None:
        """Merge up into a copy that then takes the file's place."""
        copy = into.path.with_suffix(NEW)
        try:
            with self._place.guard("merge"), unwritten_by_qemu(into.path, into.layer):
                with operation.phase("copy"), _COPY:
                    duplicate(into.path, copy, operation)
                self._pull(into, replace(into, path=copy), between, operation, keep)
                with operation.phase("sync"), _HANG:
                    self._tools.hang_on(copy, into.layer, below, keep=(keep,))
                self._replace(copy, into)
        except BaseException:
            with suppress(OSError):
                copy.unlink(missing_ok=True)
            raise

    def _gather_by_converting(self, into: LayerFile, operation: Operation, keep: int) -> bool:
        """Let a copy of all that the file reads take its place; False if somebody writes to what is below."""
        copy = into.path.with_suffix(NEW)
        try:
            with self._place.guard("merge"), unwritten_by_qemu(into.path, into.layer):
                operation.expect(into.size_bytes)
                with operation.phase("copy"), _COPY:
                    write_blank(copy, size_bytes=into.size_bytes, backing=None)
                    watch = Watch(operation=operation, total_bytes=into.size_bytes)
                    self._tools.convert(into, copy, watch=watch, keep=(keep,))
                with operation.phase("sync"):
                    self._replace(copy, into)
        except BaseException as error:
            with suppress(OSError):
                copy.unlink(missing_ok=True)
            if not isinstance(error, LayerBusy):
                raise
            return False
        return True

    def _replace(self, copy: Path, into: LayerFile) -> None:
        with _REPLACE:
            os.chmod(copy, into.mode)
            sync_path(copy)
            os.rename(copy, into.path)
            self._place.sync()

    def _pull(
        self,
        into: LayerFile,
        file: LayerFile,
        between: Sequence[LayerFile],
        operation: Operation,
        keep: int,
    ) -> None:
        with operation.phase("merge up"), _PULL:
            # Both before the target is opened for writing, which forbids reading it otherwise.
            below, own = Mapped(self._tools, between), Mapped(self._tools, [file])
            missing = sum(extent.length for extent in without(below, own))
            operation.expect(operation.progress.done_bytes + missing)
            target = Target(
                path=file.path,
                layer=into.layer,
                operation=operation,
                stop_when=lambda: file is into and self._locks.wanted(into.layer),
                keep=(keep,),
            )
            pull(self._exports, between[0], without(below, own), target)

    def _mend(self, file: LayerFile, keep: int) -> None:
        """Give back clusters that an earlier attempt allocated, and was killed before it used them."""
        if self._tools.check(file).leaked_bytes:
            with _MEND:
                self._tools.repair_leaks(file.path, file.layer, keep=(keep,))

    def open_up(self, file: LayerFile) -> None:
        """Let the owner write to a frozen file; it counts as frozen still."""
        if file.frozen:
            with _OPEN_UP:
                os.chmod(file.path, FROZEN_IN_MERGE)

    def _close(self, file: LayerFile) -> None:
        if file.frozen:
            with self._place.guard("merge"), _CLOSE:
                os.chmod(file.path, file.mode)
                sync_path(file.path)


def _little(into: LayerFile, between: Sequence[LayerFile]) -> bool:
    """Whether a file holds so little beside those below it that copying it once more does not matter."""
    below = sum(os.stat(file.path).st_blocks for file in between)
    return os.stat(into.path).st_blocks * _LITTLE <= below
