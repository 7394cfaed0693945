"""Subnets follow from networks. Called by faces, and by what networks consist of."""

from stratal.kernel.derived import DerivedService
from stratal.kernel.kind import Catalogue
from stratal.network.l3_net.model import L3_NET, L3NetSpec, L3NetStatus


class L3NetService(DerivedService[L3NetSpec, L3NetStatus]):
    """Lists and shows subnets."""

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(L3_NET, catalogue)
