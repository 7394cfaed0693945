"""The contract that every holder of layers meets: qcow2 files, Ceph RBD, memory.

Called by the storage reconcilers (through the steps the planner declares) and by protection, which reads
cuts; implemented by the drivers; held by `tests/conformance/storage/layer_driver_suite.py`.

**Reading.** A layer has a size, perhaps a parent, and data of its own for some ranges. A byte reads as the
topmost layer on the way to the root that has data for it; where none has, or the parent is smaller, as zero.
A child is never smaller than its parent. Only frozen layers have children; a frozen layer never again reads
differently, whatever is merged, flattened or removed around it.

**Idempotence.** Every verb may be repeated after it was done, half done, or undone by a crash of this
process, of its subprocesses or of the machine, and then leads to the place it would have led to. A verb that
raised may still have had its effect. Callers observe, then act.

**Atomicity.** Whatever a crash leaves, `observe` shows each layer either as before the verb or as after it,
and every layer reads right. What is half made lies under names that are no layers: a leftover, continued
by repeating the verb or removed by `reclaim`.

**Side effects** each stand in a `with` of an `Effect` named `<driver>.<what>`, where the crash suite can kill
the process. **Threads**: all verbs may be called from any thread; those on different layers don't wait for
each other longer than the backend makes them. **Time**: no verb hangs on a silent backend; it raises
`BackendUnavailable`. **Errors**: those of `errors`, besides the ones each verb names always `NoSpace`,
`BackendUnavailable`, `LayerDamaged`.
"""

from collections.abc import Container, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NewType, Protocol

from stratal.kernel.operation import Operation

LayerId = NewType("LayerId", str)
"""A stable name chosen by the caller: a UUID in its canonical text form."""


class Direction(StrEnum):
    """Which way a merge moves data."""

    #: the child's data goes into the parent's storage, which then takes the child's place (commit)
    DOWN = "down"
    #: the parent's data goes into the child's storage (stream)
    UP = "up"


class Transport(StrEnum):
    """How a layer's content, or a foreign image, is addressed."""

    #: `address` is an absolute path
    FILE = "file"
    #: `address` is an NBD URI
    NBD = "nbd"
    #: `address` is pool/[namespace/]image[@snapshot]
    RBD = "rbd"


@dataclass(frozen=True, kw_only=True)
class Location:
    """Where tools and hypervisors find content."""

    transport: Transport
    address: str
    #: the format in the field's own words (raw, qcow2, vmdk, vhdx); always stated, never probed
    format: str


@dataclass(frozen=True, kw_only=True)
class Source:
    """A self-contained foreign image to copy from: a file, or what the driver's own backend holds."""

    location: Location

    @classmethod
    def file(cls, path: Path, *, format: str) -> "Source":
        return cls(location=Location(transport=Transport.FILE, address=str(path), format=format))

    @property
    def path(self) -> Path:
        """Of a file."""
        return Path(self.location.address)

    @property
    def format(self) -> str:
        return self.location.format


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What callers may know about a driver without knowing the driver."""

    name: str
    #: extents are reported in multiples of this, so that a written byte may show as so many
    granularity_bytes: int
    #: merges of a frozen parent move its data; where they don't, cost plays no role and direction is ignored
    merging_moves_data: bool
    #: a running guest must be switched to a new layer; where it needn't be, `create_overlay` is the instant
    #: that the layer below keeps
    switches_guests: bool


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """One layer as the world holds it now."""

    layer: LayerId
    parent: LayerId | None
    frozen: bool
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Everything in a driver's place."""

    layers: Mapping[LayerId, LayerInfo]
    #: remains of interrupted work, by the backend's own names; what `reclaim` would remove
    leftovers: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Extent:
    """A range for which a layer, or one of a run of layers, has data."""

    offset: int
    length: int
    #: known to read as zeros, and so needs no copying; False where the driver can't tell
    zero: bool


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What one layer takes, without its ancestors."""

    virtual_bytes: int
    #: bytes of the backend that go away with the layer
    allocated_bytes: int


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """The place itself."""

    total_bytes: int
    used_bytes: int


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """What a check of a layer's own structures found. Leaks waste space and harm nothing."""

    damages: tuple[str, ...] = ()
    leaked_bytes: int = 0

    @property
    def sound(self) -> bool:
        return not self.damages


class LayerReader(Protocol):
    """Consistent access to one layer's content, its ancestors shining through."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def location(self) -> Location | None:
        """Where another process finds the same content while this is open; None where nothing can."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; the range must lie within the size. Safe from several threads."""
        ...


class LayerWriter(LayerReader, Protocol):
    """The only writer of one writable layer."""

    def write(self, offset: int, data: bytes) -> None: ...

    def zero(self, offset: int, length: int) -> None:
        """Make the range read as zeros, whatever lies below."""
        ...

    def flush(self) -> None:
        """What was written before survives a power cut. Leaving `open_writing` flushes as well."""
        ...


class OpenDisk(Protocol):
    """A disk that a running guest has open: its chain is changed only through its hypervisor.

    Addresses are those of `Location`. Implemented by compute, given to the verbs that can work on layers
    which a guest uses. Every verb raises LayerBusy when the guest has ended meanwhile.
    """

    def chain(self) -> tuple[str, ...]:
        """What the guest has open now, from the file that it writes to down to the last."""
        ...

    def commit(self, *, top: str, base: str, operation: Operation) -> None:
        """Move what lies between `base` and `top`, that included, into `base`, and let the guest go on
        without it. Takes up a job that is running already."""
        ...

    def pull(self, *, base: str | None, operation: Operation) -> None:
        """Copy what lies above `base` into the file that the guest writes to, which then hangs on `base`;
        None: on nothing. Takes up a job that is running already. What was copied may be lost with the guest
        until `flush`."""
        ...

    def flush(self) -> None:
        """Return when all that the guest's files are meant to hold survives a kill of its QEMU."""
        ...

    def resize(self, size_bytes: int) -> None:
        """Grow the file that the guest writes to, and let the guest see it. Idempotent."""
        ...


class LayerDriver(Protocol):
    """Holds layers in one place (a directory, a pool).

    Where a verb takes a `disk`, the layer is open in a running guest, and the verb works through it.
    Callers keep verbs without one away from layers that a guest has open or is about to open.
    """

    @property
    def traits(self) -> Traits: ...

    # Looking.

    def observe(self, layer: LayerId) -> LayerInfo | None:
        """The layer as it is now, or None where there is none: the same time at any depth."""
        ...

    def hops(self, layer: LayerId) -> int:
        """How many storage objects a read may have to go through, the layer's own included: what chain limits
        are about. May take time with the depth. LayerNotFound."""
        ...

    def survey(self) -> Survey:
        """Everything there is. Reads all of the place: for start-up and audits, not for each step."""
        ...

    def usage(self, layer: LayerId) -> Usage:
        """What the layer takes by itself. Raises LayerNotFound."""
        ...

    def covered(self, layer: LayerId, *, by: LayerId) -> int:
        """The bytes of a layer that nobody sees who reads it through its child `by`, which has its own there.

        For accounts: it disturbs neither guests nor writers, and beside them is only about right. May take
        time with what the two hold, not with the depth. LayerNotFound, NotAnAncestor.
        """
        ...

    def capacity(self) -> Capacity: ...

    def check(self, layer: LayerId) -> CheckReport:
        """Look for damage in the layer's own structures. Repairs nothing. LayerNotFound, LayerBusy."""
        ...

    def extents(self, layer: LayerId, *, above: LayerId | None) -> Iterator[Extent]:
        """The ranges that `layer` or a layer between it and its ancestor `above` has data for.

        Sorted, not overlapping, clipped to the size; with `above` None down to the root. What is not listed
        reads as `above` does (zero without one). May list more than was written, by granularity; never less.
        Raises LayerNotFound, NotAnAncestor (`above` is `layer` itself: nothing is listed), LayerBusy.
        """
        ...

    def locate(self, layer: LayerId) -> Location | None:
        """Where a hypervisor attaches the layer; None where none can. Opens nothing. LayerNotFound."""
        ...

    def layer_at(self, address: str) -> LayerId | None:
        """The layer that something a guest has open belongs to; None for what is not of this place."""
        ...

    def open_reading(self, layer: LayerId) -> AbstractContextManager[LayerReader]:
        """Read the layer. Any number at once on a frozen one. LayerNotFound; LayerBusy beside a writer."""
        ...

    def open_writing(self, layer: LayerId) -> AbstractContextManager[LayerWriter]:
        """Write to a writable layer. LayerNotFound, LayerFrozen, LayerBusy beside anybody else."""
        ...

    def examine(self, location: Location, *, in_place: bool) -> int:
        """The virtual size of a foreign image that `create_root` could copy, or `adopt` take over `in_place`.

        Changes nothing, and holds nothing: what is true now may be so no longer when it is copied. Raises
        SourceRefused with what the verb would say, and while somebody writes to the image.
        """
        ...

    # Making.

    def create_root(self, layer: LayerId, *, size_bytes: int, source: Source | None = None) -> Operation:
        """A writable layer without parent: empty, or with a copy of `source` that ends in zeros.

        Done already if a layer of this id exists without parent and with this size, whatever it holds.
        LayerExists otherwise; SourceRefused for an image larger than the size, of an unknown format, one
        that lies where this driver can't read it, or one that names a backing file or an external data file,
        which is never opened; LayerBusy while somebody writes to an image of the backend.
        """
        ...

    def adopt(self, layer: LayerId, *, location: Location) -> None:
        """Take an existing image over in place as a writable root, without copying; it is the driver's then.

        Its size is the image's. Done already if the layer exists as a root and nothing is at the location.
        LayerExists, SourceRefused (also where the driver can't take over what is there), LayerBusy.
        """
        ...

    def create_child(self, layer: LayerId, *, parent: LayerId, size_bytes: int) -> None:
        """An empty writable layer on a frozen one: the same time for any size and any depth.

        Done already if it exists on this parent with this size. LayerExists otherwise; LayerNotFound,
        LayerNotFrozen, CannotShrink for a size below the parent's.
        """
        ...

    # Lending to hypervisors.

    def lend(self, layer: LayerId) -> tuple[Location, ...]:
        """Make a layer ready for a guest to open: all that it will open, from the layer's own down.

        Finishes what merges under guests that have ended left. LayerNotFound; LayerBusy while something is
        being done to a file of it, which passes.
        """
        ...

    def create_overlay(self, layer: LayerId, *, parent: LayerId, size_bytes: int, below: str) -> Location:
        """As `create_child`, on a layer that a running guest still writes to, which has it open as `below`.

        Where the driver switches guests, this one is to be switched to it at once, and the parent frozen
        then; until that it is no more than a name. Elsewhere the parent is frozen when this returns. Done
        already if it exists on this parent with this size. LayerBusy if the guest has something else open.
        """
        ...

    # Changing.

    def freeze(self, layer: LayerId) -> None:
        """Let nothing write to the layer any more, for good. LayerNotFound, LayerBusy while written to."""
        ...

    def resize(self, layer: LayerId, *, size_bytes: int, disk: OpenDisk | None = None) -> None:
        """Grow a writable layer; the new part reads as zeros. LayerNotFound, LayerFrozen, CannotShrink."""
        ...

    def absorb(
        self, parent: LayerId, *, into: LayerId, direction: Direction, disk: OpenDisk | None = None
    ) -> Operation:
        """Merge a frozen layer with its only child `into`.

        Afterwards `parent` is no layer any more, and `into` hangs on what was below it, reading exactly what
        it read, as frozen or writable as it was and with the children it had. Who reads `into` or a layer
        above at this time goes on reading right. `direction` is the cheaper way as the planner sees it; a
        driver that can't go it takes the other. Done already if `parent` is gone and `into` is there.
        LayerNotFound, LayerHasChildren (others than `into` hang on `parent`), NotAnAncestor (`into`
        does not hang on it), LayerBusy (`parent` is read by itself, or `into` is written to).
        """
        ...

    def settle(self, layer: LayerId, *, disk: OpenDisk | None = None) -> Operation:
        """Bring what an interrupted `absorb` into the layer left to its end. Done already if nothing is."""
        ...

    def flatten(
        self, layer: LayerId, *, onto: LayerId | None = None, disk: OpenDisk | None = None
    ) -> Operation:
        """Copy what lies between the layer and its ancestor `onto` into it, and hang it there.

        With `onto` None it becomes a root. Reads as before, stays as frozen or writable as it was and keeps
        its children; nothing below changes. Done already if it hangs on `onto`. A driver that can't stop at
        an ancestor goes on to the root. LayerNotFound, NotAnAncestor, LayerBusy.
        """
        ...

    # Removing.

    def delete(self, layer: LayerId) -> None:
        """Remove a layer that nothing hangs on. Done already if it is gone. LayerHasChildren, LayerBusy."""
        ...

    def reclaim(self, *, spare: Container[LayerId] = ()) -> tuple[str, ...]:
        """Remove all leftovers; returns their names. Spares whatever running work of any process holds, and
        what belongs to the layers of `spare`, which guests have open."""
        ...
