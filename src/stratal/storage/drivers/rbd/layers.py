"""How verbs come at a layer: its record, its image, a claim on it. Called by `driver`."""

from collections.abc import Generator
from contextlib import contextmanager

from stratal.storage.drivers.contract import LayerId, Location
from stratal.storage.drivers.errors import LayerDamaged, LayerExists
from stratal.storage.drivers.rbd.answers import NotThere
from stratal.storage.drivers.rbd.catalogue import Catalogue, LayerRecord
from stratal.storage.drivers.rbd.claims import Claims, Mode
from stratal.storage.drivers.rbd.image import Image
from stratal.storage.drivers.rbd.pool import Pool


class Layers:
    """The layers of one place, as the catalogue has them."""

    def __init__(self, pool: Pool, catalogue: Catalogue, claims: Claims) -> None:
        self._pool = pool
        self._place = pool.place
        self._catalogue = catalogue
        self._claims = claims

    @contextmanager
    def using(self, layer: LayerId, mode: Mode) -> Generator[LayerRecord]:
        """Claim a layer that must be there."""
        self._pool.connect()
        self._catalogue.layer(layer)
        with self._claims.claim(layer, mode):
            yield self._catalogue.layer(layer)

    @contextmanager
    def image(
        self, layer: LayerId, record: LayerRecord, *, read_only: bool = False, head: bool = False
    ) -> Generator[Image]:
        """The image at the layer, or at its head. Raises LayerDamaged where it is missing."""
        snapshot = None if head else record.snapshot
        try:
            with self._pool.open(record.image, snapshot=snapshot, read_only=read_only) as image:
                yield image
        except NotThere:
            raise LayerDamaged(layer=layer, reason=f"{self.address(layer, record)} is missing") from None

    def is_made(self, layer: LayerId, parent: LayerId | None, size_bytes: int) -> bool:
        """Whether exactly this layer is there. Raises LayerExists for another of the same name."""
        record = self._catalogue.look().find(LayerRecord, layer)
        if record is None:
            return False
        if record.parent != parent:
            raise LayerExists(layer=layer, reason=f"it hangs on {record.parent}")
        if record.size_bytes != size_bytes:
            raise LayerExists(layer=layer, reason=f"it has {record.size_bytes} bytes")
        return True

    def is_there(self, location: Location) -> bool:
        """Whether an image is at the location, or one that is not of this place might be."""
        name = self._place.image_of(location.address)
        if name is None:
            return True
        try:
            with self._pool.open(name, read_only=True):
                return True
        except NotThere:
            return False

    def is_ancestor(self, ancestor: LayerId | None, layer: LayerId) -> bool:
        """Whether it lies below the layer, or is the layer itself. None is below everything."""
        at: LayerId | None = layer
        while at is not None and at != ancestor:
            at = self._catalogue.layer(at).parent
        return at == ancestor

    def address(self, layer: LayerId, record: LayerRecord) -> str:
        """Of the layer's image, and of its snapshot in that if it is frozen."""
        return self.location(layer, record).address

    def location(self, layer: LayerId, record: LayerRecord) -> Location:
        """As `address`, as hypervisors and tools want it."""
        return self._place.location(record.image, layer if record.frozen else None)
