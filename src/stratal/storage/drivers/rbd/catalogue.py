"""Which layer is where: records in the omap of one RADOS object, changed by atomic transactions.

A transaction remembers what it read; its writes are applied at once, and only if all of that is still so.
Otherwise it runs again. Its body must therefore do nothing else than read and write records.
"""

import random
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from stratal.kernel.effects import Effect
from stratal.storage.drivers.contract import LayerId
from stratal.storage.drivers.errors import BackendUnavailable, LayerNotFound
from stratal.storage.drivers.rbd.answers import Contended
from stratal.storage.drivers.rbd.pool import Pool

_T = TypeVar("_T")
_Record = TypeVar("_Record", bound="Record")
_ATTEMPTS = 200


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what the catalogue holds."""


class LayerRecord(Record, frozen=True, kw_only=True, omit_defaults=True):
    image: str
    size_bytes: int
    parent: LayerId | None = None
    #: the RBD id of the snapshot that a frozen layer is, named as the layer; None: it is the image's head
    snapshot: int | None = None
    #: how many layers hang on it
    children: int = 0

    @property
    def frozen(self) -> bool:
        return self.snapshot is not None


class ImageRecord(Record, frozen=True, kw_only=True, omit_defaults=True):
    #: the writable layer that is its head; or the frozen one that the head, written to by nobody, continues
    head: LayerId | None = None
    #: what it is a clone of
    parent: str | None = None
    parent_snapshot: int | None = None
    #: the head belongs to nobody and may hold data of its own
    dirty: bool = False
    #: the head's size may not be what its layer's record says
    resized: bool = False
    #: the session that is making the image, until a layer is in it
    worker: str | None = None
    #: the name it had, while it is being taken over
    adopted_from: str | None = None


class SessionRecord(Record, frozen=True, kw_only=True, omit_defaults=True):
    """A connected process, known by its address."""

    #: of the running kernel
    boot: str
    #: the PID namespace
    namespace: str
    pid: int
    #: in the kernel's ticks, as /proc tells: a pid comes again, together with this it does not
    started: int


class Claim(Record, frozen=True, kw_only=True, omit_defaults=True):
    session: str
    token: str
    mode: str


class ClaimsRecord(Record, frozen=True, kw_only=True, omit_defaults=True):
    claims: tuple[Claim, ...] = ()


class Transaction:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._read: dict[str, str] = {}
        self._wanted: dict[str, str] = {}

    def fetch(self, keys: Iterable[str]) -> None:
        """Read several records in one go, as of one instant."""
        missing = [key for key in keys if key not in self._read]
        if missing:
            values = self._pool.read(missing)
            self._read.update({key: values.get(key, "") for key in missing})

    def find(self, kind: type[_Record], name: str) -> _Record | None:
        key = key_of(kind, name)
        self.fetch([key])
        value = self._wanted.get(key, self._read[key])
        return msgspec.json.decode(value, type=kind) if value else None

    def put(self, name: str, record: Record) -> None:
        self._wanted[self._known(type(record), name)] = msgspec.json.encode(record).decode()

    def drop(self, kind: type[Record], name: str) -> None:
        self._wanted[self._known(kind, name)] = ""

    def _known(self, kind: type[Record], name: str) -> str:
        key = key_of(kind, name)
        self.fetch([key])  # so that a blind write can't undo one that came between
        return key

    # Shorthands.

    def layer(self, layer: LayerId) -> LayerRecord:
        """Raises LayerNotFound."""
        record = self.find(LayerRecord, layer)
        if record is None:
            raise LayerNotFound(layer=layer, place=self._pool.place, kind="layer", id=layer)
        return record

    def image(self, name: str) -> ImageRecord:
        return self.find(ImageRecord, name) or ImageRecord()

    def count_child(self, layer: LayerId | None, difference: int) -> None:
        if layer is not None:
            record = self.layer(layer)
            self.put(layer, msgspec.structs.replace(record, children=record.children + difference))

    def commit(self, effect: Effect) -> None:
        """Raises Contended."""
        wanted = {key: value for key, value in self._wanted.items() if value != self._read[key]}
        if wanted:
            with effect:
                self._pool.compare_and_set(self._read, wanted)


class Everything:
    """The whole catalogue as it was read for a survey."""

    def __init__(self, raw: dict[str, str]) -> None:
        self.layers = _decode(raw, LayerRecord)
        self.images = _decode(raw, ImageRecord)
        self.sessions = _decode(raw, SessionRecord)
        self.claims = _decode(raw, ClaimsRecord)


class Catalogue:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def change(self, effect: Effect, body: Callable[[Transaction], _T]) -> _T:
        """Run the body and apply what it wrote, anew as often as somebody else comes between."""
        for attempt in range(_ATTEMPTS):
            transaction = Transaction(self._pool)
            result = body(transaction)
            try:
                transaction.commit(effect)
            except Contended:
                # Randomness only spreads the contenders; nothing can be seen of it.
                time.sleep(random.random() * 0.002 * min(attempt, 20))  # noqa: S311
                continue
            return result
        raise BackendUnavailable(place=self._pool.place, reason="too many are changing the catalogue")

    def look(self) -> Transaction:
        """For reading only."""
        return Transaction(self._pool)

    def layer(self, layer: LayerId) -> LayerRecord:
        """Raises LayerNotFound."""
        return self.look().layer(layer)

    def everything(self) -> Everything:
        return Everything(self._pool.read_all())


def key_of(kind: type[Record], name: str) -> str:
    return f"{kind.__name__.removesuffix('Record').lower()}:{name}"


def _decode(raw: dict[str, str], kind: type[_Record]) -> dict[str, _Record]:
    prefix = key_of(kind, "")
    return {
        key.removeprefix(prefix): msgspec.json.decode(value, type=kind)
        for key, value in raw.items()
        if key.startswith(prefix)
    }
