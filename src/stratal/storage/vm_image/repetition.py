"""The last piece of an upload, sent again by a client that did not hear that all had arrived.

Made by `intake`, driven by the face as an `Upload` is. What comes is counted and thrown away: the content may
have been moved to where images are kept, and is not compared.
"""

from stratal.kernel.database import Database
from stratal.kernel.errors import Invalid, NotFound
from stratal.storage.vm_image.service import Image, VmImageService


class Repetition:
    def __init__(self, database: Database, service: VmImageService, image: Image, length: int) -> None:
        self._database = database
        self._service = service
        self._image = image
        self._left = length

    def write(self, data: bytes | memoryview) -> None:
        """Raises Invalid for more than was announced."""
        self._left -= len(data)
        if self._left < 0:
            raise Invalid(field="content-range", reason="names fewer bytes than the body has")

    def pause(self) -> None:
        """Nothing is to be made safe."""

    def finish(self) -> Image:
        """The image as it is now."""
        if self._left:
            raise Invalid(field="content-range", reason="names more bytes than the body has")
        found = self._database.read(lambda tx: self._service.store.get(tx, self._image.id))
        if found is None:
            raise NotFound(kind=self._image.kind.name, id=self._image.id)
        return found

    def close(self) -> None:
        """Nothing is held."""
