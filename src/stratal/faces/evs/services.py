"""What this face asks: the services of the domains, and what the composition root knows. Made once."""

from dataclasses import dataclass
from typing import Protocol

from stratal.compute import Compute
from stratal.identity import Identity
from stratal.kernel.database import Database
from stratal.storage import Storage


class RequestObserver(Protocol):
    """Who wants to know of requests: the process's metrics."""

    def observe_request(self, *, face: str, method: str, route: str, status: int, seconds: float) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Services:
    database: Database
    identity: Identity
    storage: Storage
    compute: Compute
    #: the one region that the catalogue names
    region: str
    #: the one availability zone
    zone: str
    #: the address of this face for clients; empty: what a request was sent to
    public_url: str
    max_body_bytes: int
    body_timeout_seconds: float
    node_name: str
