"""Reading an image for somebody outside: as a raw disk, of which a part will do, or as a qcow2 file.

Called by faces, from threads. Reads the frozen layer through its driver, so it works whatever is merged,
cloned or flattened meanwhile.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from enum import StrEnum
from typing import Final

from stratal.kernel.access import Access
from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.storage.drivers.contract import LayerDriver, LayerId, LayerReader
from stratal.storage.layers import NameKind, State
from stratal.storage.places import Places
from stratal.storage.tree import rows
from stratal.storage.tree.model import TREE
from stratal.storage.vm_image.qcow2_stream import Qcow2Stream
from stratal.storage.vm_image.service import Image, VmImageService

_STEP_BYTES: Final = 4 * 2**20


class DownloadFormat(StrEnum):
    RAW = "raw"
    QCOW2 = "qcow2"


class Download:
    """An open image. `close` it."""

    def __init__(self, image: Image, driver: LayerDriver, layer: LayerId, format: DownloadFormat) -> None:
        self.image = image
        self.format = format
        self._stack = ExitStack()
        self._reader: LayerReader = self._stack.enter_context(driver.open_reading(layer))
        self._stream: Qcow2Stream | None = None
        if format is DownloadFormat.QCOW2:
            ranges = (
                (extent.offset, extent.length)
                for extent in driver.extents(layer, above=None)
                if not extent.zero
            )
            self._stream = Qcow2Stream(self._reader.size_bytes, ranges)

    @property
    def length(self) -> int:
        """Bytes of the whole."""
        return self._reader.size_bytes if self._stream is None else self._stream.length

    def chunks(self, first: int, end: int) -> Iterator[bytes]:
        """The bytes from `first` to before `end`; of a qcow2 file only the whole can be had."""
        if self._stream is not None:
            yield from self._stream.chunks(self._reader.read)
            return
        while first < end:
            count = min(_STEP_BYTES, end - first)
            yield self._reader.read(first, count)
            first += count

    def close(self) -> None:
        self._stack.close()


class Downloads:
    def __init__(self, database: Database, service: VmImageService, places: Places) -> None:
        self._database = database
        self._service = service
        self._places = places
        self._trees = Store(TREE)

    def open(self, access: Access, id: int, format: DownloadFormat) -> Download:
        """Raises NotFound, Conflict while the image has no content yet, and what the driver raises."""
        image, layer, driver, place = self._database.read(lambda tx: self._find(tx, access, id))
        return Download(image, self._places.driver(driver, place), layer, format)

    def _find(self, transaction: Transaction, access: Access, id: int) -> tuple[Image, LayerId, str, str]:
        image = self._service.show(transaction, access, id)
        name = rows.name_of(NameKind.IMAGE, id)
        path, tree_id = rows.path(transaction, name), rows.tree_of(transaction, name)
        tree = None if tree_id is None else self._trees.get(transaction, tree_id, labels=False)
        if not path or tree is None or path[0].layer.state is State.PLANNED:
            raise Conflict(reason=f"vm_image {id} has no content yet: it is {image.status.upload_state}")
        return image, path[0].layer.id, tree.spec.driver, tree.spec.place
