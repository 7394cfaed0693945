"""Bridges follow from networks and nodes. Called by faces, and by what networks consist of."""

from stratal.kernel.derived import DerivedService
from stratal.kernel.kind import Catalogue
from stratal.network.bridge.model import BRIDGE, BridgeSpec, BridgeStatus


class BridgeService(DerivedService[BridgeSpec, BridgeStatus]):
    """Lists and shows bridges."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(BRIDGE, catalogue)
