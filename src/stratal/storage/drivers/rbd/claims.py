"""Who uses which layer, over all processes, and what becomes of the claims of those that died.

Every process that works in a place is a *session*, named by its address in the cluster, and keeps the
sessions image open; a claim names its session. A session is alive while its process is, where that runs
under the same kernel, and else while the cluster holds its watch on the sessions image (30 s after a
silent death). A dead one that stands in the way is fenced, so that RBD's own locks fall at once, and its
claims count no more.
"""

import os
import threading
import uuid
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from enum import StrEnum
from pathlib import Path

from stratal.kernel.effects import Effect
from stratal.storage.drivers.contract import LayerId
from stratal.storage.drivers.errors import BackendUnavailable, LayerBusy, NoSpace
from stratal.storage.drivers.rbd.answers import AlreadyThere, NotThere
from stratal.storage.drivers.rbd.catalogue import (
    Catalogue,
    Claim,
    ClaimsRecord,
    SessionRecord,
    Transaction,
    key_of,
)
from stratal.storage.drivers.rbd.image import Image
from stratal.storage.drivers.rbd.place import SESSIONS_IMAGE
from stratal.storage.drivers.rbd.pool import Pool

_JOIN = Effect("rbd.session.join")
_LEAVE = Effect("rbd.session.leave")
_FENCE = Effect("rbd.session.fence")
_CLAIM = Effect("rbd.claim.take")
_RELEASE = Effect("rbd.claim.release")


class Mode(StrEnum):
    """A way to use a layer."""

    READ = "read"
    WRITE = "write"
    #: moving data in or out without a change of what it reads: goes together with readers
    WORK = "work"
    #: making the layer, or taking it away: goes together with nothing
    REMOVE = "remove"


_EXCLUDED: dict[Mode, set[str]] = {
    Mode.READ: {Mode.WRITE, Mode.REMOVE},
    Mode.WRITE: set(Mode),
    Mode.WORK: {Mode.WRITE, Mode.WORK, Mode.REMOVE},
    Mode.REMOVE: set(Mode),
}


class Claims:
    def __init__(self, pool: Pool, catalogue: Catalogue) -> None:
        self._pool = pool
        self._catalogue = catalogue
        self._lock = threading.Lock()
        self._address: str | None = None
        self._watching = ExitStack()
        self._held: set[str] = set()
        self._unreleased: dict[str, LayerId] = {}

    # This session.

    def join(self) -> str:
        """Make this process known, unless it is; the session's address."""
        with self._lock:
            self._pool.connect()
            address = self._pool.address
            if address == self._address:
                return address
            self._watching.close()
            with suppress(AlreadyThere), _JOIN:
                self._pool.create(SESSIONS_IMAGE, 0, features=0)
            self._watching.enter_context(self._pool.open(SESSIONS_IMAGE))
            record, before = _this_process(), self._address

            def body(tx: Transaction) -> None:
                tx.put(address, record)
                if before is not None:  # shut out: that session is over, though its process lives
                    tx.drop(SessionRecord, before)

            self._catalogue.change(_JOIN, body)
            self._address = address
            return address

    def leave(self) -> None:
        with self._lock:
            if self._address is not None:
                address, self._address = self._address, None
                self._watching.close()
                self._catalogue.change(_LEAVE, lambda tx: tx.drop(SessionRecord, address))

    # Claims.

    @contextmanager
    def claim(self, layer: LayerId, mode: Mode) -> Generator[None]:
        """Use the layer in this way; LayerBusy while others use it in a way that excludes it."""
        token = uuid.uuid4().hex
        self._held.add(token)
        try:
            self._take(layer, mode, token)
            yield
        finally:
            self._held.discard(token)
            self._release(layer, token)

    def _take(self, layer: LayerId, mode: Mode, token: str) -> None:
        address = self.join()
        self._release_late()
        mine = Claim(session=address, token=token, mode=mode)

        def body(tx: Transaction) -> list[Claim]:
            claims = self._valid(tx, layer)
            against = [each for each in claims if each.mode in _EXCLUDED[mode]]
            if not against:
                tx.put(layer, ClaimsRecord(claims=(*claims, mine)))
            return against

        against = self._catalogue.change(_CLAIM, body)
        if against and self.fence_dead(each.session for each in against):
            against = self._catalogue.change(_CLAIM, body)
        if against:
            raise LayerBusy(layer=layer, reason=f"others {against[0].mode} it")

    def _release(self, layer: LayerId, token: str) -> None:
        def body(tx: Transaction) -> None:
            record = tx.find(ClaimsRecord, layer)
            left = [each for each in record.claims if each.token != token] if record else []
            if left:
                tx.put(layer, ClaimsRecord(claims=tuple(left)))
            else:
                tx.drop(ClaimsRecord, layer)

        try:
            self._catalogue.change(_RELEASE, body)
        except (BackendUnavailable, NoSpace):
            # The work itself is done or has failed with its own error. Here the claim already counts no
            # more; other processes see it until the pool answers again.
            self._unreleased[token] = layer

    def _release_late(self) -> None:
        for token in list(self._unreleased):
            layer = self._unreleased.pop(token, None)
            if layer is not None:
                self._release(layer, token)

    def _valid(self, tx: Transaction, layer: LayerId) -> list[Claim]:
        """The claims on a layer, but for those that a past of this or of another process left behind."""
        record = tx.find(ClaimsRecord, layer)
        if record is None:
            return []
        tx.fetch({key_of(SessionRecord, each.session) for each in record.claims})
        return [each for each in record.claims if self._counts(tx, each)]

    def _counts(self, tx: Transaction, claim: Claim) -> bool:
        if claim.session == self._address:
            return claim.token in self._held
        return tx.find(SessionRecord, claim.session) is not None

    def claimed(self, layers: Iterable[LayerId]) -> set[LayerId]:
        """Those of the layers that a live session uses."""
        layers = list(layers)
        tx = self._catalogue.look()
        tx.fetch(key_of(ClaimsRecord, layer) for layer in layers)
        return {layer for layer in layers if any(self.alive(each.session) for each in self._valid(tx, layer))}

    # Others.

    def refuse_strangers(self, layer: LayerId, image: Image) -> None:
        """LayerBusy while somebody who is no session has the image open: a guest, or another tool."""
        others = image.watchers() - {self._address}
        if others:
            tx = self._catalogue.look()
            tx.fetch(key_of(SessionRecord, each) for each in others)
            strangers = sorted(each for each in others if tx.find(SessionRecord, each) is None)
            if strangers:
                raise LayerBusy(layer=layer, reason=f"{strangers[0]} has its image open")

    def fence_dead_watchers(self, image: Image) -> bool:
        """Take the locks of dead sessions on an image away, rather than wait for them to expire."""
        return self.fence_dead(image.watchers() - {self._address})

    def fence_dead(self, addresses: Iterable[str]) -> bool:
        """Fence those that are sessions and dead; whether there were any."""
        dead = [address for address in set(addresses) if self.known(address) and not self.alive(address)]
        for address in dead:
            with _FENCE:
                self._pool.blocklist(address)
            self._catalogue.change(_FENCE, lambda tx, address=address: tx.drop(SessionRecord, address))
        return bool(dead)

    def known(self, address: str) -> bool:
        return self._catalogue.look().find(SessionRecord, address) is not None

    def alive(self, address: str) -> bool:
        if address == self._address:
            return True
        record = self._catalogue.look().find(SessionRecord, address)
        if record is None:
            return False
        here = _this_process()
        if (record.boot, record.namespace) == (here.boot, here.namespace):
            return _started(record.pid) == record.started
        try:
            with self._pool.open(SESSIONS_IMAGE, read_only=True) as image:
                return address in image.watchers()
        except NotThere:
            return False


def _this_process() -> SessionRecord:
    started = _started(os.getpid())
    assert started is not None
    return SessionRecord(
        boot=Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        namespace=os.readlink("/proc/self/ns/pid"),
        pid=os.getpid(),
        started=started,
    )


def _started(pid: int) -> int | None:
    """When the process started; None where there is none, or only a zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name stands in parentheses and may hold anything.
    fields = status.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
