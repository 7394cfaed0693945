"""Layers while a hypervisor has them open: what it opens, and merges that it carries out.

A guest's QEMU moves the data of a merge, and goes on by the name of the file that it moved them to. Down,
that is the file of the absorbed layer below: it gets the heir's name as a second one (a hard link, which
takes the place of the heir's old file), and keeps its own for as long as a guest or a header knows it by
that. So a kill at any instant leaves every name right.

Up, QEMU names the layer below in the header before it has written its tables (7.2; there is no way to make it
flush between): a kill then would lose what was copied. So the absorbed file stays until the guest's files
are flushed, and where its guest has ended meanwhile, the heir is hung on it again: what it copied hides it.
"""

import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from stratal.kernel.operation import Operation
from stratal.storage.drivers.contract import Direction, LayerId, Location, OpenDisk, Transport
from stratal.storage.drivers.errors import LayerBusy
from stratal.storage.drivers.qcow2.chain import Chains, LayerFile
from stratal.storage.drivers.qcow2.locks import Locks, opened_by_qemu, working_on
from stratal.storage.drivers.qcow2.merge import Merges
from stratal.storage.drivers.qcow2.place import ABSORBED, LAYER, RAW, Place, split


class Lending:
    """The layers of one place that guests have open."""

    def __init__(self, place: Place, chains: Chains, locks: Locks, merges: Merges) -> None:
        self._place = place
        self._chains = chains
        self._locks = locks
        self._merges = merges

    def addresses(self, layer: LayerId) -> tuple[Location, ...]:
        """Every file that a guest opens with the layer, by the names that the headers know them by."""
        self._rehang(layer)
        files = self._chains.chain(layer)
        if self._locks.worked_on({file.layer for file in files}):
            raise LayerBusy(layer=layer, reason="work on one of its files has not ended")
        with suppress(LayerBusy):  # another guest has it open: then that name stays, and serves
            self.straighten(files)
        for absorbed in self.absorbed_into({file.layer for file in files}):
            if self._chains.is_alias(absorbed):
                with suppress(LayerBusy):
                    self.discard(absorbed, None)
        found: list[Location] = []
        name: str | None = self._place.path(layer).name
        while name is not None:
            file = self._chains.load(name)
            found.append(Location(transport=Transport.FILE, address=str(file.path), format=file.format))
            name = file.named
        return tuple(found)

    def straighten(self, files: Sequence[LayerFile]) -> None:
        """Let every header of a chain name the layer that it hangs on by its own name. Raises LayerBusy."""
        for file in files:
            if file.named != file.backing:
                self._straighten(file)

    def layer_at(self, address: str) -> LayerId | None:
        """The layer that the file of an address belongs to."""
        path = Path(address)
        parts = split(path.name)
        if parts is None or path.parent != self._place.directory or parts[1] not in (LAYER, RAW):
            return None
        return [parts[0], *self._heirs(parts[0])][-1]

    def take_in(
        self, files: Sequence[LayerFile], direction: Direction, disk: OpenDisk, operation: Operation
    ) -> None:
        """Merge the absorbed file that the chain's first file hangs on into that, through the guest."""
        into, base = files[0], files[1]
        for absorbed in self.absorbed_into({into.layer}):
            self._note_alias(absorbed)
        chain = disk.chain()
        top, bottom = _known(into.path, chain), _known(base.path, chain)
        if bottom is None:
            raise LayerBusy(layer=into.layer, reason="its guest has other files open than expected")
        if top is not None:
            if direction is Direction.UP and top == 0:
                base_address = chain[bottom + 1] if bottom + 1 < len(chain) else None
                with operation.phase("pull"):
                    disk.pull(base=base_address, operation=operation)
                return
            self._merges.open_up(base)
            with operation.phase("commit"):
                disk.commit(top=chain[top], base=chain[bottom], operation=operation)
        self._merges.take_place(base, into)
        self._note_alias(base.layer)

    def pull(self, files: Sequence[LayerFile], stop: int, disk: OpenDisk, operation: Operation) -> None:
        """Copy what lies between a chain's first file and its `stop`-th into it, through the guest."""
        chain = disk.chain()
        if _known(files[0].path, chain) != 0:
            raise LayerBusy(layer=files[0].layer, reason="a running guest reads it")
        base = None
        if stop < len(files):
            at = _known(files[stop].path, chain)
            if at is None:
                raise LayerBusy(layer=files[0].layer, reason="its guest has other files open than expected")
            base = chain[at]
        with operation.phase("pull"):
            disk.pull(base=base, operation=operation)

    def discard(self, layer: LayerId, disk: OpenDisk | None) -> bool:
        """Remove the file of an absorbed layer that serves no layer any more; False while a guest or a
        header knows a file by its name, or may have copied it without a flush."""
        path = self._place.path(layer)
        if path.exists():
            self._note_alias(layer)
            if opened_by_qemu(path):
                return False
            heir = self._copied_to(layer)
            if heir is not None and opened_by_qemu(heir):
                if disk is None:
                    return False
                disk.flush()
            for file in self._chains.naming(path.name):
                self._straighten(file)
        if not all(self._discard_too(other, disk) for other in self._absorbed_by(layer)):
            return False
        self._merges.discard(path)
        return True

    def _discard_too(self, layer: LayerId, disk: OpenDisk | None) -> bool:
        """What came into a layer that goes away itself: nobody would know any more whose it was."""
        try:
            with self._locks.hold(working_on(layer)):
                there = self._place.path(layer).exists()
                return not (there and self._chains.children(layer)) and self.discard(layer, disk)
        except LayerBusy:
            return False

    def _absorbed_by(self, layer: LayerId) -> list[LayerId]:
        names = (split(name) for name in self._place.names())
        absorbed = [parts[0] for parts in names if parts is not None and parts[1] == ABSORBED]
        return [each for each in absorbed if self._chains.heir(each) == layer]

    def hang_again(self, layer: LayerId) -> bool:
        """Hang the heir of an absorbed layer on it once more, if a guest that has ended may have copied it
        without a flush. Whether that was done."""
        heir = self._copied_to(layer)
        if heir is None or opened_by_qemu(heir):
            return False
        file, below = self._chains.load(heir.name), self._chains.load(self._place.path(layer).name)
        self._merges.rename_below(file, below)
        return True

    def absorbed_into(self, layers: Collection[LayerId]) -> list[LayerId]:
        """The absorbed layers whose heirs these are, or heirs of those; the most remote first."""
        names = (split(name) for name in self._place.names())
        absorbed = [parts[0] for parts in names if parts is not None and parts[1] == ABSORBED]
        lines = {each: self._heirs(each) for each in absorbed}
        found = [each for each in absorbed if lines[each] and lines[each][-1] in layers]
        return sorted(found, key=lambda each: -len(lines[each]))

    def _heirs(self, layer: LayerId) -> list[LayerId]:
        """The heir of an absorbed layer, the heir of that, and so on."""
        found: list[LayerId] = []
        while (heir := self._chains.heir(layer)) is not None and heir not in found:
            found.append(heir)
            layer = heir
        return found

    def _copied_to(self, layer: LayerId) -> Path | None:
        """The heir's file, where it neither hangs on the absorbed file nor is that file itself."""
        if self._chains.is_alias(layer):
            return None
        heir, path = self._chains.heir(layer), self._place.path(layer)
        file = None if heir is None else self._place.path(heir)
        if file is None or not file.exists() or not path.exists() or os.path.samefile(file, path):
            return None
        return None if self._chains.load(file.name).backing == path.name else file

    def _note_alias(self, layer: LayerId) -> None:
        """Mark the name of a file that has its heir's place by now. Idempotent."""
        heir, path = self._chains.heir(layer), self._place.path(layer)
        if heir is None or self._chains.is_alias(layer):
            return
        file = self._place.path(heir)
        if path.exists() and file.exists() and os.path.samefile(path, file):
            self._merges.mark_alias(path, heir)

    def _rehang(self, layer: LayerId) -> None:
        layers = {file.layer for file in self._chains.chain(layer)}
        for absorbed in self.absorbed_into(layers):
            self.hang_again(absorbed)

    def _straighten(self, file: LayerFile) -> None:
        """Let a header name what its file hangs on by that layer's own name. Raises LayerBusy."""
        if file.backing is None or opened_by_qemu(file.path):
            raise LayerBusy(layer=file.layer, reason="a guest has its file open")
        self._merges.rename_below(file, self._chains.load(file.backing))


def _known(path: Path, chain: Sequence[str]) -> int | None:
    """Where in a guest's chain a file is, by whatever name."""
    for at, address in enumerate(chain):
        with suppress(OSError):
            if os.path.samefile(path, address):
                return at
    return None


def below_as(file: LayerFile, address: str) -> LayerFile:
    """The file as its guest knows it, which is how an overlay must name it. Raises LayerBusy."""
    path = Path(address)
    if path != file.path and not (path.exists() and os.path.samefile(path, file.path)):
        raise LayerBusy(layer=file.layer, reason="its guest has other files open than expected")
    return replace(file, path=path)
