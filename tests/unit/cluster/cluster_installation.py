"""A running installation of the cluster domain alone: a SQLite file, the services, and the engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from declared_tables import create_tables
from stratal.cluster import KINDS, Cluster, HostFacts
from stratal.kernel.access import SYSTEM, Access, Reach
from stratal.kernel.database import Database
from stratal.kernel.engine import Engine, EngineSettings
from stratal.kernel.fields import CreateSpec
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import ResourceService
from stratal.kernel.store import Resource

NODE_NAME = "node-1"

ADMIN = Access(
    user_id=1,
    user_name="admin",
    project_id=None,
    roles=frozenset({"system_admin"}),
    client_ip="192.0.2.1",
    request_id="request-1",
    reach=Reach.ALL,
)

FACTS = HostFacts(
    hostname="host-1",
    system_uuid="7c1f6a52-9d0c-4a0e-8a3d-0f2b7a6f1c11",
    vendor="Example Systems",
    model="Two-U",
    serial="SN-1",
    arch="x86_64",
    cpu_model="Example CPU",
    cpu_num=32,
    physical_cpu_num=2,
    memory_mb=262144,
    boot_at=datetime(2024, 5, 1, 8, 0, tzinfo=UTC),
    iommu_enabled=True,
    numa_enabled=True,
)

AnyResource = Resource[Any, Any]


@dataclass(kw_only=True)
class Installation:
    """Calls services the way a face does, each call in a transaction of its own."""

    database: Database
    cluster: Cluster
    catalogue: Catalogue

    def create(self, service: ResourceService[Any, Any], **spec: Any) -> AnyResource:
        body = (service.create_body or CreateSpec)(**spec)
        return self.database.write(lambda tx: service.create(tx, ADMIN, body))

    def update(self, service: ResourceService[Any, Any], id: int, **spec: Any) -> AnyResource:
        assert service.update_body is not None
        body = service.update_body(**spec)
        return self.database.write(lambda tx: service.update(tx, ADMIN, id, body))

    def delete(self, service: ResourceService[Any, Any], id: int) -> AnyResource:
        return self.database.write(lambda tx: service.delete(tx, ADMIN, id))

    def show(self, service: ResourceService[Any, Any], id: int) -> AnyResource:
        return self.database.read(lambda tx: service.show(tx, ADMIN, id))

    def counts(self, service: ResourceService[Any, Any], id: int) -> tuple[int, int]:
        """Children, and nodes below."""
        status = self.show(service, id).status
        return status.child_num, status.node_num

    def chassis(self, name: str = "chassis") -> AnyResource:
        """A chassis in a rack, a room and a data centre of their own, named after it."""
        cluster = self.cluster
        data_center = self.create(cluster.data_centers, name=f"data centre of {name}")
        room = self.create(cluster.rooms, name="room", data_center_id=data_center.id)
        rack = self.create(cluster.racks, name="rack", room_id=room.id)
        return self.create(cluster.chassises, name=name, rack_id=rack.id)

    def node(self, name: str, chassis_id: int | None = None) -> AnyResource:
        """A node that registered, put into a chassis the way it will be when nodes can be created."""
        nodes = self.cluster.nodes

        def register(tx: Any) -> AnyResource:
            node = nodes.register_this_node(tx, name, "192.0.2.10")
            return nodes.change(tx, SYSTEM, node, "update", {"chassis_id": chassis_id})

        return self.database.write(register)


@contextmanager
def running(url: str) -> Iterator[Installation]:
    database = Database(url)
    create_tables(database)
    catalogue = Catalogue(KINDS)
    cluster = Cluster(catalogue, node_name=NODE_NAME, read_host=lambda: FACTS)
    engine = Engine(
        database,
        catalogue,
        cluster.reconcilers,
        owner="test",
        settings=EngineSettings(poll=timedelta(seconds=0.5)),
    )
    database.on_work = engine.wake
    engine.start()
    yield Installation(database=database, cluster=cluster, catalogue=catalogue)
    assert engine.stop(timedelta(seconds=5))
    database.close()
