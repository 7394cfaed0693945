"""The layer driver for qcow2 files in a directory. The contract is `stratal.storage.drivers.contract`.

Each verb claims its locks, looks at the files, and leaves the doing to `making`, `reading`, `merge`,
`absorbing` and `lending`. Nothing is remembered between verbs.
"""

import os
import tempfile
from collections.abc import Container, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from stratal.kernel.effects import Effect
from stratal.kernel.errors import Invalid
from stratal.kernel.operation import Operation
from stratal.storage.drivers.contract import (
    Capacity,
    CheckReport,
    Direction,
    Extent,
    LayerId,
    LayerInfo,
    LayerReader,
    LayerWriter,
    Location,
    OpenDisk,
    Source,
    Survey,
    Traits,
    Transport,
    Usage,
)
from stratal.storage.drivers.errors import (
    CannotShrink,
    LayerBusy,
    LayerExists,
    LayerFrozen,
    LayerHasChildren,
    LayerNotFound,
    LayerNotFrozen,
    NotAnAncestor,
)
from stratal.storage.drivers.qcow2 import making
from stratal.storage.drivers.qcow2.absorbing import Absorbing
from stratal.storage.drivers.qcow2.blank import CLUSTER_BYTES, LARGEST_BYTES
from stratal.storage.drivers.qcow2.chain import FROZEN, Chains, describe, own_files, position
from stratal.storage.drivers.qcow2.export import Exports
from stratal.storage.drivers.qcow2.lending import Lending, below_as
from stratal.storage.drivers.qcow2.locks import (
    Locks,
    hanging_on,
    opened_by_qemu,
    owning,
    taking_away,
    using,
    working_on,
    written_by_qemu,
)
from stratal.storage.drivers.qcow2.merge import Merges
from stratal.storage.drivers.qcow2.place import ABSORBED, Place, sync_path
from stratal.storage.drivers.qcow2.reading import Reading
from stratal.storage.drivers.qcow2.tools import Tools

_SECTOR = 512

_FREEZE = Effect("qcow2.freeze")
_RESIZE = Effect("qcow2.resize")
_DELETE = Effect("qcow2.delete")


class Qcow2Driver:
    """Layers as qcow2 files in one directory, which must have been prepared (`prepare`) once."""

    def __init__(self, directory: Path, *, runtime: Path | None = None) -> None:
        """`runtime` is where sockets are made: a short path to a directory only this user may enter."""
        self._place = Place(directory)
        self._chains = Chains(self._place)
        self._locks = Locks(self._place)
        self._tools = Tools(self._place)
        self._exports = Exports(self._place, runtime or Path(tempfile.gettempdir()))
        self._reading = Reading(self._chains, self._locks, self._tools, self._exports)
        self._merges = Merges(self._place, self._locks, self._tools, self._exports)
        self._lending = Lending(self._place, self._chains, self._locks, self._merges)
        self._absorbing = Absorbing(self._place, self._chains, self._locks, self._merges, self._lending)

    def prepare(self) -> None:
        """Make the existing directory a place of layers. Once, when the storage is set up: a directory
        without this mark is taken for one that is not mounted."""
        self._place.prepare()

    @property
    def place(self) -> Path:
        """The directory."""
        return self._place.directory

    @property
    def traits(self) -> Traits:
        return Traits(
            name="qcow2", granularity_bytes=CLUSTER_BYTES, merging_moves_data=True, switches_guests=True
        )

    # Looking.

    def observe(self, layer: LayerId) -> LayerInfo | None:
        return self._chains.observe(layer)

    def hops(self, layer: LayerId) -> int:
        return len(self._chains.chain(layer))

    def survey(self) -> Survey:
        layers, leftovers = self._chains.survey()
        return Survey(layers=layers, leftovers=leftovers)

    def usage(self, layer: LayerId) -> Usage:
        files = self._chains.own(layer)
        with self._place.guard("look"):
            allocated = sum(os.stat(file.path).st_blocks * 512 for file in files)
        return Usage(virtual_bytes=files[0].size_bytes, allocated_bytes=allocated)

    def covered(self, layer: LayerId, *, by: LayerId) -> int:
        return self._reading.covered(layer, by)

    def capacity(self) -> Capacity:
        self._place.require()
        with self._place.guard("look"):
            found = os.statvfs(self._place.directory)
        total = found.f_blocks * found.f_frsize
        return Capacity(total_bytes=total, used_bytes=total - found.f_bfree * found.f_frsize)

    def check(self, layer: LayerId) -> CheckReport:
        return self._reading.check(layer)

    def extents(self, layer: LayerId, *, above: LayerId | None) -> Iterator[Extent]:
        return self._reading.extents(layer, above)

    def locate(self, layer: LayerId) -> Location:
        head = self._chains.head(layer)
        return Location(transport=Transport.FILE, address=str(head.path), format="qcow2")

    def layer_at(self, address: str) -> LayerId | None:
        return self._lending.layer_at(address)

    def open_reading(self, layer: LayerId) -> AbstractContextManager[LayerReader]:
        return self._reading.open(layer)

    def open_writing(self, layer: LayerId) -> AbstractContextManager[LayerWriter]:
        return self._reading.open_writing(layer)

    def examine(self, location: Location, *, in_place: bool) -> int:
        return making.examine(self._place, location, in_place=in_place)

    # Making.

    def create_root(self, layer: LayerId, *, size_bytes: int, source: Source | None = None) -> Operation:
        def body(operation: Operation) -> None:
            _check_size(size_bytes)
            with self._locks.hold(working_on(layer)) as keep:
                if self._is_there(layer, parent=None, size_bytes=size_bytes):
                    return
                if source is None:
                    making.make_blank(self._place, layer, size_bytes=size_bytes, below=None)
                else:
                    making.make_copy(
                        self._place,
                        layer,
                        size_bytes=size_bytes,
                        source=source,
                        operation=operation,
                        keep=keep,
                    )

        return Operation(f"create root {layer}", body)

    def adopt(self, layer: LayerId, *, location: Location) -> None:
        with self._locks.hold(working_on(layer)):
            self._refuse_absorbed(layer)
            present = self._chains.find(layer)
            making.adopt(self._place, layer, present=present, location=location)

    def create_child(self, layer: LayerId, *, parent: LayerId, size_bytes: int) -> None:
        _check_size(size_bytes)
        with self._locks.hold(working_on(layer), hanging_on(parent)):
            below = self._chains.head(parent)
            if self._is_there(layer, parent=parent, size_bytes=size_bytes):
                return
            if not below.frozen:
                raise LayerNotFrozen(layer=parent)
            if size_bytes < below.size_bytes:
                raise CannotShrink(
                    field="size_bytes", layer=parent, size_bytes=below.size_bytes, wanted_bytes=size_bytes
                )
            making.make_blank(self._place, layer, size_bytes=size_bytes, below=below)

    # Lending to hypervisors.

    def lend(self, layer: LayerId) -> tuple[Location, ...]:
        return self._lending.addresses(layer)

    def create_overlay(self, layer: LayerId, *, parent: LayerId, size_bytes: int, below: str) -> Location:
        _check_size(size_bytes)
        with self._locks.hold(working_on(layer), hanging_on(parent)):
            file = self._chains.head(parent)
            if not self._is_there(layer, parent=parent, size_bytes=size_bytes):
                making.make_blank(self._place, layer, size_bytes=size_bytes, below=below_as(file, below))
        return self.locate(layer)

    # Changing.

    def freeze(self, layer: LayerId) -> None:
        with self._locks.hold(working_on(layer), using(layer)):
            head = self._chains.head(layer)
            if head.frozen:
                return
            with self._place.guard("freeze a layer"):
                if written_by_qemu(head.path):
                    raise LayerBusy(layer=layer, reason="a guest or a tool writes to it")
                with _FREEZE:
                    os.chmod(head.path, FROZEN)
                    sync_path(head.path)

    def resize(self, layer: LayerId, *, size_bytes: int, disk: OpenDisk | None = None) -> None:
        _check_size(size_bytes)
        with self._locks.hold(working_on(layer), owning(layer)) as keep:
            head = self._chains.head(layer)
            if head.frozen:
                raise LayerFrozen(layer=layer)
            if size_bytes < head.size_bytes:
                raise CannotShrink(
                    field="size_bytes", layer=layer, size_bytes=head.size_bytes, wanted_bytes=size_bytes
                )
            if size_bytes > head.size_bytes:
                with self._place.guard("grow a layer"), _RESIZE:
                    if disk is None:
                        self._tools.resize(head.path, layer, size_bytes, keep=(keep,))
                    else:
                        disk.resize(size_bytes)
                    sync_path(head.path)

    def absorb(
        self, parent: LayerId, *, into: LayerId, direction: Direction, disk: OpenDisk | None = None
    ) -> Operation:
        def body(operation: Operation) -> None:
            claims = (working_on(parent), working_on(into), taking_away(parent), owning(parent), using(into))
            with self._locks.hold(*claims) as keep:
                files = self._chains.find(into)
                below = self._chains.find(parent)
                if files is None:
                    raise LayerNotFound(layer=into, id=into, kind="layer", place=self._place)
                if below is not None:
                    if describe(files).parent != parent:
                        raise NotAnAncestor(ancestor=parent, layer=into)
                    others = [child for child in self._chains.children(parent) if child != into]
                    if others:
                        raise LayerHasChildren(layer=parent, children=", ".join(others))
                    self._merges.mark_absorbed(below[0], into)
                if disk is None:
                    self._lending.hang_again(parent)
                self._absorbing.settle(into, direction, operation, keep, disk)
                self._absorbing.end(parent, disk)
            if disk is not None:
                self._absorbing.tidy(into, disk)

        return Operation(f"absorb {parent} into {into}", body)

    def settle(self, layer: LayerId, *, disk: OpenDisk | None = None) -> Operation:
        def body(operation: Operation) -> None:
            with self._locks.hold(working_on(layer), using(layer)) as keep:
                self._absorbing.settle(layer, Direction.DOWN, operation, keep, disk)
            self._absorbing.tidy(layer, disk)

        return Operation(f"settle {layer}", body)

    def flatten(
        self, layer: LayerId, *, onto: LayerId | None = None, disk: OpenDisk | None = None
    ) -> Operation:
        def body(operation: Operation) -> None:
            with self._locks.hold(working_on(layer), using(layer)) as keep:
                files = self._chains.chain(layer)
                stop = len(files) if onto is None else position(files, onto)
                if stop is None or stop == 0:
                    raise NotAnAncestor(ancestor=onto, layer=layer)
                if stop > 1 and disk is None:
                    self._lending.straighten(files)
                    self._merges.gather(files, stop, operation, keep)
                elif stop > 1 and disk is not None:
                    self._lending.pull(files, stop, disk, operation)
                    for file in own_files(files)[1:]:
                        self._lending.discard(file.layer, disk)

        return Operation(f"flatten {layer}", body)

    # Removing.

    def delete(self, layer: LayerId) -> None:
        with self._locks.hold(working_on(layer), taking_away(layer), owning(layer)):
            files = self._chains.find(layer)
            if files is None:
                return
            children = self._chains.children(layer)
            if children:
                raise LayerHasChildren(layer=layer, children=", ".join(children))
            own = own_files(files)
            with self._place.guard("delete a layer"):
                if any(opened_by_qemu(file.path) for file in own):
                    raise LayerBusy(layer=layer, reason="a guest or a tool has its file open")
                with _DELETE:
                    own[0].path.unlink(missing_ok=True)
                    self._place.sync()
            for file in own[1:]:
                self._merges.discard(file.path)
        self._absorbing.tidy(layer, None)

    def reclaim(self, *, spare: Container[LayerId] = ()) -> tuple[str, ...]:
        self._exports.sweep()
        removed: list[str] = []
        # Removing one leftover may lay bare another: what an orphan hung on.
        while done := [name for name in self.survey().leftovers if self._absorbing.reclaimed(name, spare)]:
            removed += done
        return tuple(removed)

    # What several verbs share.

    def _is_there(self, layer: LayerId, *, parent: LayerId | None, size_bytes: int) -> bool:
        """Whether exactly this layer exists. Raises LayerExists for another of the same name."""
        self._refuse_absorbed(layer)
        found = self._chains.observe(layer)
        if found is None:
            return False
        if found.parent != parent:
            raise LayerExists(layer=layer, reason=f"it hangs on {found.parent}")
        if found.size_bytes != size_bytes:
            raise LayerExists(layer=layer, reason=f"it has {found.size_bytes} bytes")
        return True

    def _refuse_absorbed(self, layer: LayerId) -> None:
        if self._place.path(layer, ABSORBED).exists():
            raise LayerBusy(layer=layer, reason="a layer of this name is being merged away")


def _check_size(size_bytes: int) -> None:
    if not 0 < size_bytes <= LARGEST_BYTES or size_bytes % _SECTOR:
        reason = f"must be a multiple of {_SECTOR}, at least that and at most {LARGEST_BYTES}"
        raise Invalid(field="size_bytes", reason=reason)
