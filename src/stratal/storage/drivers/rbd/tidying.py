"""Removes what no layer needs any more: snapshots, data of heads that are nobody's, images, dead sessions.

`tidy` brings one image in line with the catalogue and is the last step of every verb that takes a layer away;
doing it again is harmless. `survey` finds, in the whole place, what interrupted verbs left for it, and
`reclaim` removes that. Only what the catalogue has a record of is ever touched.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from stratal.kernel.effects import Effect
from stratal.storage.drivers.contract import LayerId
from stratal.storage.drivers.rbd import moves
from stratal.storage.drivers.rbd.answers import InUse, NotThere
from stratal.storage.drivers.rbd.catalogue import (
    Catalogue,
    ClaimsRecord,
    Everything,
    ImageRecord,
    LayerRecord,
    Transaction,
    key_of,
)
from stratal.storage.drivers.rbd.claims import Claims
from stratal.storage.drivers.rbd.image import Image, Snapshot
from stratal.storage.drivers.rbd.pool import Pool

_REMOVE_SNAPSHOT = Effect("rbd.snapshot.remove")
_DISCARD = Effect("rbd.head.discard")
_DOOM = Effect("rbd.image.doom")
_REMOVE = Effect("rbd.image.remove")
_FORGET = Effect("rbd.image.forget")
_RENAME_BACK = Effect("rbd.adopt.undo")
_CLEAN = Effect("rbd.head.clean")
_DETACHED = Effect("rbd.image.detached")
_UNCLAIM = Effect("rbd.claim.drop")


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that no layer needs. `name` is what an administrator would call it."""

    name: str
    image: str | None = None
    session: str | None = None
    claims: LayerId | None = None


class Tidying:
    def __init__(self, pool: Pool, catalogue: Catalogue, claims: Claims) -> None:
        self._pool = pool
        self._catalogue = catalogue
        self._claims = claims
        # images that this process is making or removing
        self._making: set[str] = set()
        self._lock = threading.Lock()

    def tidy(self, name: str | None) -> None:
        """Remove what the image holds for nobody, and the image itself if that is everything; then the
        image it was a clone of, which may have been kept for its sake only."""
        while name is not None:
            record = self._catalogue.look().find(ImageRecord, name)
            if record is None or self.in_the_making(name, record):
                return
            if record.worker is not None or not self._tidied(name, record):
                self.remove(name, record)
            name = record.parent

    def _tidied(self, name: str, record: ImageRecord) -> bool:
        """Whether anything is left of the image."""
        try:
            with self._pool.open(name) as image:
                self._claims.fence_dead_watchers(image)
                for snapshot in self.superfluous(name, image):
                    with _REMOVE_SNAPSHOT:
                        if snapshot.trashed:
                            image.remove_snapshot(snapshot)
                        else:
                            image.trash_snapshot(snapshot.name)
                left = image.snapshots()
                if record.head is None and left and record.dirty:
                    self._empty_head(name, image, left)
        except NotThere:
            return False
        return record.head is not None or bool(left)

    def superfluous(self, name: str, image: Image) -> list[Snapshot]:
        """The snapshots that are no layers, nor about to become any."""
        snapshots = image.snapshots()
        named = {LayerId(each.name): each for each in snapshots if not each.trashed}
        # A freeze holds its claim until its layer is recorded: whoever sees neither sees a leftover. So
        # claims are read first.
        claimed = self._claims.claimed(named)
        tx = self._catalogue.look()
        tx.fetch(key_of(LayerRecord, layer) for layer in named)
        return [
            each
            for layer, each in named.items()
            if layer not in claimed and not _is_at(tx, layer, name, each)
        ] + [
            each for each in snapshots if each.trashed and not image.has_children(each)
        ]  # RBD removes these with their last clone, unless its process is killed just then

    def _empty_head(self, name: str, image: Image, left: list[Snapshot]) -> None:
        """Give back what was written after the last snapshot.

        Not by shrinking: a shrunk head has lost its overlap with the parent, and flattening the image would
        pass over what its snapshots still need of that.
        """
        last = max(left, key=lambda each: each.id)
        if not last.trashed:
            for change in image.changes(image.size_bytes, since=last.name):
                with _DISCARD:
                    image.discard(change.offset, change.length)

        def body(tx: Transaction) -> None:
            record = tx.find(ImageRecord, name)
            if record is not None:
                tx.put(name, msgspec.structs.replace(record, dirty=False))

        self._catalogue.change(_CLEAN, body)

    def remove(self, name: str, record: ImageRecord) -> None:
        """Remove an image that holds no layer; one that was to be taken over gets its old name back.

        Its record is made this process's own first, so that nobody who saw the same leftover removes what
        was made under the name meanwhile.
        """
        if not self.reserve(name):
            return  # another thread is at it, or makes it anew
        try:
            doomed = msgspec.structs.replace(record, worker=self._claims.join())
            if self._catalogue.change(_DOOM, lambda tx: _doom(tx, name, record, doomed)):
                self._remove_doomed(name, doomed)
        finally:
            self.release(name)

    def _remove_doomed(self, name: str, record: ImageRecord) -> None:
        if record.adopted_from is not None:
            try:
                with _RENAME_BACK:
                    self._pool.rename(name, record.adopted_from)
            except NotThere:
                pass
        else:
            try:
                self._remove_image(name)
            except InUse:
                # By a session that just died and is not fenced yet, or by a stranger who has it open.
                # It stays a leftover.
                return

        def body(tx: Transaction) -> None:
            if tx.find(ImageRecord, name) == record:
                tx.drop(ImageRecord, name)

        self._catalogue.change(_FORGET, body)

    def _remove_image(self, name: str) -> None:
        try:
            with self._pool.open(name) as image:
                self._claims.fence_dead_watchers(image)
                for snapshot in image.snapshots():
                    with _REMOVE_SNAPSHOT:
                        image.remove_snapshot(snapshot)
            with _REMOVE:
                self._pool.remove(name)
        except NotThere:
            pass

    def in_the_making(self, name: str, record: ImageRecord) -> bool:
        """Whether a process that lives is making the image right now."""
        if record.worker is None:
            return False
        if record.worker == self._claims.join():
            return name in self._making
        return self._claims.alive(record.worker)

    def reserve(self, name: str) -> bool:
        """Say that this process is making or removing the image; False where another of its threads is."""
        with self._lock:
            if name in self._making:
                return False
            self._making.add(name)
            return True

    def release(self, name: str) -> None:
        self._making.discard(name)

    # The whole place.

    def survey(self, everything: Everything) -> Iterator[Leftover]:
        alive = {address for address in everything.sessions if self._claims.alive(address)}
        for address in everything.sessions:
            if address not in alive:
                yield Leftover(name=f"session {address}", session=address)
        for layer, record in everything.claims.items():
            if not any(claim.session in alive for claim in record.claims):
                yield Leftover(name=f"claims on {layer}", claims=LayerId(layer))
        needed = {record.image for record in everything.layers.values()}
        needed |= {record.parent for record in everything.images.values() if record.parent is not None}
        for name, record in everything.images.items():
            if self.in_the_making(name, record):
                continue
            if name not in needed:
                yield Leftover(name=name, image=name)
            elif record.dirty:
                yield Leftover(name=f"the head of {name}", image=name)
            else:
                yield from self._within(name, record)

    def _within(self, name: str, record: ImageRecord) -> Iterator[Leftover]:
        try:
            with self._pool.open(name, read_only=True) as image:
                if record.parent is not None and not image.has_parent:
                    yield Leftover(name=f"the record of {record.parent} under {name}", image=name)
                for snapshot in self.superfluous(name, image):
                    yield Leftover(name=f"{name}@{snapshot.name}", image=name)
        except NotThere:
            return  # a damage, which `check` reports

    def reclaim(self) -> tuple[str, ...]:
        leftovers = tuple(self.survey(self._catalogue.everything()))
        self._claims.fence_dead(each.session for each in leftovers if each.session is not None)
        for each in leftovers:
            if each.claims is not None:
                self._drop_claims(each.claims)
        for name in dict.fromkeys(each.image for each in leftovers):
            if name is not None:
                below = self._detached(name)
                self.tidy(name)
                self.tidy(below)
        return tuple(each.name for each in leftovers)

    def _detached(self, name: str) -> str | None:
        """Record that an image was flattened, where that is so; what it was a clone of."""
        try:
            with self._pool.open(name, read_only=True) as image:
                if image.has_parent:
                    return None
        except NotThere:
            return None
        return self._catalogue.change(_DETACHED, lambda tx: moves.detach(tx, name))

    def _drop_claims(self, layer: LayerId) -> None:
        def body(tx: Transaction) -> None:
            record = tx.find(ClaimsRecord, layer)
            if record is not None and not any(self._claims.known(each.session) for each in record.claims):
                tx.drop(ClaimsRecord, layer)

        self._catalogue.change(_UNCLAIM, body)


def _doom(tx: Transaction, name: str, seen: ImageRecord, doomed: ImageRecord) -> bool:
    """Whether the image is still as it was seen: of the same attempt, and without a layer."""
    found = tx.find(ImageRecord, name)
    if found is None or found.head is not None or found.worker != seen.worker:
        return False
    tx.put(name, doomed)
    return True


def _is_at(tx: Transaction, layer: LayerId, image: str, snapshot: Snapshot) -> bool:
    record = tx.find(LayerRecord, layer)
    return record is not None and record.image == image and record.snapshot == snapshot.id
