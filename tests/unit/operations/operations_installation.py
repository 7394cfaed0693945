"""A running installation of the operations domain, and of the cluster's kinds for it to label."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from declared_tables import create_tables
from stratal.cluster import KINDS as CLUSTER_KINDS
from stratal.cluster import Cluster
from stratal.kernel.access import Access, Reach
from stratal.kernel.actions import actions_of
from stratal.kernel.database import Database
from stratal.kernel.engine import Engine, EngineSettings
from stratal.kernel.fields import CreateSpec
from stratal.kernel.kind import Catalogue
from stratal.kernel.labels import Label
from stratal.kernel.service import ResourceService
from stratal.kernel.store import Resource
from stratal.operations import KINDS, Operations

ADMIN = Access(
    user_id=1,
    user_name="admin",
    project_id=1,
    roles=frozenset({"admin"}),
    client_ip="192.0.2.1",
    request_id="request-1",
    reach=Reach.ALL,
)
#: works in project 1
MEMBER = replace(ADMIN, user_id=2, user_name="member", roles=frozenset({"member"}), reach=Reach.PROJECT)
#: works in project 2
NEIGHBOUR = replace(MEMBER, user_id=3, user_name="neighbour", project_id=2)

AnyResource = Resource[Any, Any]
AnyService = ResourceService[Any, Any]


def reach_of(access: Access, kind: str, verb: str) -> Reach:
    """A role policy: administrators change everything; members label keys of their project, and no racks."""
    assert verb == "update"
    if "admin" in access.roles:
        return Reach.ALL
    return Reach.NONE if kind == "rack" else Reach.PROJECT


class MovableClock:
    """The host's clock, moved by what a test says."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


@dataclass(kw_only=True)
class Installation:
    """Calls services the way a face does, each call in a transaction of its own."""

    database: Database
    clock: MovableClock
    cluster: Cluster
    operations: Operations

    def create(self, service: AnyService, access: Access = ADMIN, **spec: Any) -> AnyResource:
        body = (service.create_body or CreateSpec)(**spec)
        return self.database.write(lambda tx: service.create(tx, access, body))

    def delete(self, service: AnyService, id: int, access: Access = ADMIN) -> AnyResource:
        return self.database.write(lambda tx: service.delete(tx, access, id))

    def show(self, service: AnyService, id: int, access: Access = ADMIN) -> AnyResource:
        return self.database.read(lambda tx: service.show(tx, access, id))

    def label(
        self, verb: str, value_id: int, resource_type: str, *ids: int, access: Access = ADMIN
    ) -> AnyResource:
        """Attach or detach."""
        values = self.operations.label_values
        [action] = [each for each in actions_of(values) if each.verb == verb]
        body = action.body(resource_type=resource_type, resource_ids=list(ids))
        return self.database.write(lambda tx: action.run(values, tx, access, value_id, body))

    def labels(self, service: AnyService, id: int) -> list[Label]:
        return self.show(service, id).labels

    def attached(self, value_id: int) -> int:
        return self.show(self.operations.label_values, value_id).status.resource_num


@contextmanager
def running(url: str) -> Iterator[Installation]:
    clock = MovableClock()
    database = Database(url, clock=clock)
    create_tables(database)
    catalogue = Catalogue([*KINDS, *CLUSTER_KINDS])
    cluster = Cluster(catalogue, node_name="node-1")
    operations = Operations(
        catalogue, reach_of=reach_of, count_hosts=cluster.nodes.count_live, features=["cluster", "operations"]
    )
    engine = Engine(
        database,
        catalogue,
        [*cluster.reconcilers, *operations.reconcilers],
        owner="test",
        settings=EngineSettings(poll=timedelta(seconds=0.5)),
    )
    database.on_work = engine.wake
    engine.start()
    yield Installation(database=database, clock=clock, cluster=cluster, operations=operations)
    assert engine.stop(timedelta(seconds=5))
    database.close()
