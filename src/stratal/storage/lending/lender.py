"""What compute asks of storage for a guest's disks. Called by the reconciler of virtual machines.

The order of things, each of which may be repeated after a crash: `lend` before the guest starts; `opened`
once its disk was seen; `due` whenever a look is taken, and for what it says `prepare`, the hypervisor's
switch, and `switched`; `give_back` when the guest is seen to have ended.
"""

import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from sqlalchemy import select

from stratal.kernel import work
from stratal.kernel.errors import NotFound, StratalError
from stratal.kernel.logs import get_logger
from stratal.kernel.reconcile import Look
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.storage.background import Background
from stratal.storage.drivers.contract import LayerDriver, LayerId, Location, OpenDisk
from stratal.storage.drivers.errors import LayerBusy, LayerNotFound
from stratal.storage.layers import NameKind, State
from stratal.storage.lending.lent import Keeper, Lent, Loan
from stratal.storage.places import Places
from stratal.storage.tree import rows
from stratal.storage.tree.model import TREE

log = get_logger(__name__)

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 10.0
"""Seconds between two attempts to end merges of before."""


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """A layer in which a running guest is to go on, on top of the one that it writes to."""

    volume_id: int
    tree_id: int
    layer: LayerId
    parent: LayerId
    size_bytes: int
    #: the guest has to be switched to it; otherwise preparing it is the instant
    switches: bool
    #: the snapshots whose instant the switch is
    bs_snap_ids: frozenset[int]


class NotReady(LayerBusy):
    """The layers of a volume are not there yet, or something is being done to them. It passes."""

    code = "volume_not_ready"
    template = "bs_volume {volume_id} can't be opened yet: {reason}"
    remedy = "Wait; it is tried again by itself."


class Lender:
    """Lends volumes to guests. Stateless beside `Lent`."""

    def __init__(self, places: Places, background: Background, lent: Lent) -> None:
        self._places = places
        self._background = background
        self._lent = lent
        self._trees = Store(TREE)

    # -- before a guest runs -------------------------------------------------------------------------

    def assume(self, transaction: Transaction, volume_id: int, keeper: Keeper) -> None:
        """A guest of before this process may have the volume open. Called before the engine starts."""
        path, tree_id = self._path(transaction, volume_id)
        layers = {placed.layer.id for placed in path}
        self._lent.put(Loan(volume_id=volume_id, tree_id=tree_id, keeper=keeper, layers=layers))

    def lend(self, look: Look, volume_id: int, keeper: Keeper) -> tuple[Location, ...]:
        """All that a guest opens with the volume, from the file that it writes to down; lent from here on.

        Raises NotReady while layers are yet to be made or are being worked on.
        """
        _, tree_id = look.read(lambda tx: self._path(tx, volume_id))
        with self._lent.turn(tree_id):
            path, _ = look.read(lambda tx: self._path(tx, volume_id))
            if path[0].layer.state is not State.SETTLED:
                raise NotReady(volume_id=volume_id, reason=path[0].problem or "its layers are being made")
            layers = {placed.layer.id for placed in path}
            if busy := layers & self._background.look(tree_id).busy:
                for layer in busy:
                    self._background.cancel(layer)
                raise NotReady(volume_id=volume_id, reason="its layers are being merged")
            driver = self._driver(look, tree_id)
            locations = driver.lend(path[0].layer.id)
            loan = Loan(volume_id=volume_id, tree_id=tree_id, keeper=keeper, layers=layers)
            self._lent.put(replace(loan, top=path[0].layer.id))
        return locations

    def holds(self, look: Look, volume_id: int, bs_snap_id: int) -> bool:
        """Whether a volume holds just what a snapshot of it does: nothing was written since it was rolled
        back to that. While no guest has it open. May say no where what was written is the same."""
        path, tree_id = look.read(lambda tx: self._path(tx, volume_id))
        kept = look.read(lambda tx: rows.path(tx, rows.name_of(NameKind.SNAPSHOT, bs_snap_id)))
        if not kept or kept[0].layer.id not in {placed.layer.id for placed in path[1:]}:
            return False
        driver = self._driver(look, tree_id)
        return next(iter(driver.extents(path[0].layer.id, above=kept[0].layer.id)), None) is None

    def show(self, look: Look, name: rows.Name) -> tuple[Location, ...]:
        """All that a guest opens to read what a frozen name holds, such as an image in a CD-ROM drive."""
        path = look.read(lambda tx: rows.path(tx, name))
        tree_id = look.read(lambda tx: rows.tree_of(tx, name))
        if not path or tree_id is None:
            raise NotFound(kind=name.kind, id=name.id)
        if path[0].layer.state is not State.SETTLED:
            raise NotReady(volume_id=name.id, reason="it is being made")
        return self._driver(look, tree_id).lend(path[0].layer.id)

    # -- while it runs -------------------------------------------------------------------------------

    def opened(self, look: Look, volume_id: int, keeper: Keeper, disk: OpenDisk) -> None:
        """The guest has the volume open through `disk`. Lends it, should that not be known."""
        loan = self._lent.of(volume_id)
        if loan is None or loan.disk is None:
            path, tree_id = look.read(lambda tx: self._path(tx, volume_id))
            driver = self._driver(look, tree_id)
            top = driver.layer_at(disk.chain()[0])
            layers = {placed.layer.id for placed in path}
            loan = Loan(volume_id=volume_id, tree_id=tree_id, keeper=keeper, layers=layers)
            with self._lent.turn(tree_id):
                self._lent.put(replace(loan, top=top, disk=disk))
            self._finish_merges(driver, volume_id, [placed.layer.id for placed in reversed(path)], disk)
            look.write(lambda tx: work.ask(tx, TREE.name, tree_id))

    def due(self, look: Look, volume_id: int, address: str) -> Overlay | None:
        """The layer that a guest, which writes to `address`, is to go on in; None: it is where it should be.

        Raises LayerBusy when the volume has left the guest's layer behind, so that it can't follow.
        """
        path, tree_id = look.read(lambda tx: self._path(tx, volume_id))
        driver = self._driver(look, tree_id)
        top = driver.layer_at(address)
        if top == path[0].layer.id:
            return None
        for above, below in pairwise(path):
            if below.layer.id == top:
                return Overlay(
                    volume_id=volume_id,
                    tree_id=tree_id,
                    layer=above.layer.id,
                    parent=below.layer.id,
                    size_bytes=above.layer.size_bytes,
                    switches=driver.traits.switches_guests,
                    bs_snap_ids=look.read(lambda tx, id=below.layer.id: _snapshots_at(tx, id)),
                )
        raise LayerBusy(layer=path[0].layer.id, reason=f"its guest writes to another layer, {top}")

    def prepare(self, look: Look, overlay: Overlay, address: str) -> Location:
        """Make the overlay on what the guest writes to now. Idempotent."""
        look.check()
        return self._driver(look, overlay.tree_id).create_overlay(
            overlay.layer, parent=overlay.parent, size_bytes=overlay.size_bytes, below=address
        )

    def switched(self, look: Look, overlay: Overlay) -> None:
        """The guest writes to the overlay now: what is below is frozen, and the tree told. Idempotent.

        What can't be frozen now, since a merge into it has not ended, the tree freezes when it can.
        """
        with self._lent.turn(overlay.tree_id):
            loan = self._lent.of(overlay.volume_id)
            if loan is not None:
                layers = loan.layers | {overlay.layer}
                self._lent.put(replace(loan, layers=layers, top=overlay.layer))
        with suppress(StratalError):
            self._driver(look, overlay.tree_id).freeze(overlay.parent)
        look.write(lambda tx: work.ask(tx, TREE.name, overlay.tree_id))

    # -- when it has ended ---------------------------------------------------------------------------

    def give_back(self, look: Look, volume_id: int, keeper: Keeper) -> None:
        """The keeper's guest has the volume open no more: what waited for that goes on. Idempotent."""
        loan = self._lent.of(volume_id)
        if loan is not None and loan.keeper != keeper:
            return  # another machine has the volume by now
        self._lent.remove(volume_id)
        if look.read(lambda tx: rows.tree_of(tx, rows.name_of(NameKind.HEAD, volume_id))) is None:
            return  # the volume is gone
        # a snapshot that was asked for as the loan ended was left to the guest's keeper: it is the tree's now
        path, tree_id = look.read(lambda tx: self._path(tx, volume_id))
        if loan is not None or path[0].layer.state is not State.SETTLED:
            look.write(lambda tx: work.ask(tx, TREE.name, tree_id))

    # -- parts ---------------------------------------------------------------------------------------

    def _finish_merges(
        self, driver: LayerDriver, volume_id: int, layers: list[LayerId], disk: OpenDisk, pause: float = 0.0
    ) -> None:
        """Merges of before this process that the guest went on with, or not. What can't be done yet, as one
        of them waits for another, is tried again for as long as the guest has the volume open this way."""

        def finish() -> None:
            loan = self._lent.of(volume_id)
            if loan is None or loan.disk is not disk:
                return
            left = [layer for layer in layers if not _settled(driver, layer, disk)]
            if left:
                again = min(_LONGEST_PAUSE, max(_FIRST_PAUSE, pause * 2))
                self._finish_merges(driver, volume_id, left, disk, again)

        later = threading.Timer(pause, self._background.submit, [finish])
        later.daemon = True
        later.start()

    def _driver(self, look: Look, tree_id: int) -> LayerDriver:
        tree = look.read(lambda tx: self._trees.get(tx, tree_id, labels=False))
        if tree is None:
            raise NotFound(kind=TREE.name, id=tree_id)
        return self._places.driver(tree.spec.driver, tree.spec.place)

    @staticmethod
    def _path(transaction: Transaction, volume_id: int) -> tuple[list[rows.Placed], int]:
        name = rows.name_of(NameKind.HEAD, volume_id)
        path, tree_id = rows.path(transaction, name), rows.tree_of(transaction, name)
        if not path or tree_id is None:
            raise NotFound(kind="bs_volume", id=volume_id)
        return path, tree_id


def _settled(driver: LayerDriver, layer: LayerId, disk: OpenDisk) -> bool:
    """Bring the merges into a layer to their end; whether that was done."""
    try:
        driver.settle(layer, disk=disk).run()
    except LayerNotFound:  # it is yet to be made
        return True
    except StratalError as error:
        log.info("merge_not_finished", layer=layer, error=str(error))
        return False
    return True


def _snapshots_at(transaction: Transaction, layer: LayerId) -> frozenset[int]:
    names = rows.LAYER_NAME.c
    found = transaction.execute(
        select(names.id).where(names.layer == layer, names.kind == NameKind.SNAPSHOT.value)
    )
    return frozenset(found.scalars())
