"""What may be asked of racks. Called by faces."""

from stratal.cluster.rack.model import RACK, RackCreate, RackSpec, RackStatus, RackUpdate
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import ResourceService


class RackService(ResourceService[RackSpec, RackStatus]):
    create_body = RackCreate
    update_body = RackUpdate

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(RACK, catalogue)
