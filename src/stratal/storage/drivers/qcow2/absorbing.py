"""Absorptions: bringing the merges in which layers go away to their end. Called by `driver`.

A merge is through a hypervisor where a guest has the layers open, and by ourselves otherwise.
"""

from collections.abc import Container
from contextlib import suppress

from stratal.kernel.effects import Effect
from stratal.kernel.errors import Unavailable
from stratal.kernel.operation import Operation
from stratal.storage.drivers.contract import Direction, LayerId, OpenDisk
from stratal.storage.drivers.errors import LayerBusy
from stratal.storage.drivers.qcow2.chain import Chains
from stratal.storage.drivers.qcow2.lending import Lending
from stratal.storage.drivers.qcow2.locks import Locks, using, working_on
from stratal.storage.drivers.qcow2.merge import Merges
from stratal.storage.drivers.qcow2.place import ABSORBED, NEW, Place, split

_RECLAIM = Effect("qcow2.reclaim")


class Absorbing:
    """The absorptions of one place."""

    def __init__(self, place: Place, chains: Chains, locks: Locks, merges: Merges, lending: Lending) -> None:
        self._place = place
        self._chains = chains
        self._locks = locks
        self._merges = merges
        self._lending = lending

    def settle(
        self,
        into: LayerId,
        direction: Direction,
        operation: Operation,
        keep: int,
        disk: OpenDisk | None = None,
    ) -> None:
        """Merge all absorbed files below a layer into it. The caller works on the layer."""
        files = self._chains.chain(into)
        if disk is None:
            self._lending.straighten(files)
        while len(files) > 1 and files[1].private and files[1].format == "qcow2":
            if disk is None:
                self._merges.take_in(files, direction, operation, keep)
            else:
                self._lending.take_in(files, direction, disk, operation)
            files = self._chains.chain(into)

    def end(self, layer: LayerId, disk: OpenDisk | None = None) -> bool:
        """Do what is left of the merge in which this layer went away. The caller works on the layer.

        False while its name is still in use.
        """
        path = self._place.path(layer)
        if not path.with_suffix(ABSORBED).exists():
            return True
        if disk is None:
            self._lending.hang_again(layer)
        children = self._chains.children(layer) if path.exists() else []
        for child in children:
            with self._locks.hold(working_on(child), using(child)) as keep:
                operation = Operation(f"finish absorbing {layer}", lambda _: None)
                self.settle(child, Direction.DOWN, operation, keep)
        return bool(children) or self._lending.discard(layer, disk)

    def tidy(self, layer: LayerId, disk: OpenDisk | None) -> None:
        """Remove the files of absorbed layers that have come into this one, as far as nobody has them."""
        for absorbed in self._lending.absorbed_into({layer}):
            with suppress(LayerBusy), self._locks.hold(working_on(absorbed)):
                self.end(absorbed, disk)

    def reclaimed(self, name: str, spare: Container[LayerId]) -> bool:
        """Remove one leftover, or bring the merge it comes from to its end; False if it is in use."""
        layer, suffix = split(name) or (LayerId(""), "")
        try:
            with self._locks.hold(working_on(layer)), self._place.guard("reclaim"):
                if suffix == ABSORBED:
                    heir = self._lending.layer_at(str(self._place.path(layer)))
                    return heir is not None and heir not in spare and self.end(layer)
                if suffix == NEW or name not in self._chains.backings(self._place.names()):
                    with _RECLAIM:
                        (self._place.directory / name).unlink(missing_ok=True)
                        self._place.sync()
        except (LayerBusy, Unavailable):
            return False
        return True
