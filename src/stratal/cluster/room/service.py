"""What may be asked of rooms. Called by faces."""

from stratal.cluster.room.model import ROOM, RoomCreate, RoomSpec, RoomStatus, RoomUpdate
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import ResourceService


class RoomService(ResourceService[RoomSpec, RoomStatus]):
    create_body = RoomCreate
    update_body = RoomUpdate

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(ROOM, catalogue)
