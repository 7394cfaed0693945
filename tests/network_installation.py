"""A running installation of the network domain, and short ways to ask it for things, as a face does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import MetaData, select

from declared_tables import create_tables
from stratal.identity import KINDS as IDENTITY_KINDS
from stratal.kernel.access import Access, Reach
from stratal.kernel.actions import actions_of
from stratal.kernel.database import Database
from stratal.kernel.engine import Engine, EngineSettings
from stratal.kernel.fields import CreateSpec, Id, Status, TenantSpec, UpdateSpec
from stratal.kernel.journal import EVENT
from stratal.kernel.kind import Catalogue, Kind, Reference
from stratal.kernel.reconcile import AnyReconciler, Gone, Look, Observed, RecordReconciler
from stratal.kernel.service import ResourceService
from stratal.kernel.state import State
from stratal.kernel.store import Resource
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import WORK, Lease
from stratal.network import KINDS, Network
from stratal.network.drivers.contract import NetworkDriver
from stratal.network.drivers.simulated import SimulatedHost, SimulatedNetwork
from waiting import eventually

ADMIN = Access(
    user_id=1,
    user_name="admin",
    project_id=1,
    roles=frozenset({"system_admin"}),
    client_ip="192.0.2.1",
    request_id="request-1",
    reach=Reach.ALL,
)
#: works in project 1
MEMBER = replace(ADMIN, user_id=2, user_name="member", roles=frozenset(), reach=Reach.PROJECT)
#: works in project 2
NEIGHBOUR = replace(MEMBER, user_id=3, user_name="neighbour", project_id=2)

AnyResource = Resource[Any, Any]
AnyService = ResourceService[Any, Any]

SETTINGS = EngineSettings(
    workers=8,
    backoff_base=timedelta(milliseconds=20),
    backoff_cap=timedelta(milliseconds=200),
    poll=timedelta(seconds=0.5),
)
NODE_ID = 1

_GUESTS = MetaData(naming_convention=METADATA.naming_convention)


class GuestSpec(TenantSpec, kw_only=True, omit_defaults=True):
    br_net_id: int
    mac: str
    address: str | None = None
    #: of its port, both ways; 0: no limit
    kbps: int = 0


class GuestStatus(Status, kw_only=True, omit_defaults=True): ...


class GuestCreate(CreateSpec, kw_only=True, forbid_unknown_fields=True):
    br_net_id: Id
    mac: str
    address: str | None = None
    kbps: int = 0


class GuestUpdate(UpdateSpec, kw_only=True, forbid_unknown_fields=True):
    kbps: int | msgspec.UnsetType = msgspec.UNSET


#: what interfaces of virtual machines are to networks
GUEST: Kind[GuestSpec, GuestStatus] = Kind(
    name="guest",
    plural="guests",
    type_name="Guest",
    spec=GuestSpec,
    status=GuestStatus,
    references=(Reference(field="br_net_id", kind="br_net"),),
    metadata=_GUESTS,
)


class PluggingReconciler:
    """Plugs guests in and out, as compute does with interfaces of machines."""

    kind = GUEST
    concurrency = 4

    def __init__(self, network: Network) -> None:
        self._ports = network.ports

    def reconcile(self, resource: Resource[GuestSpec, GuestStatus], look: Look) -> Observed[GuestStatus]:
        spec = resource.spec
        limits = {"in_kbps": spec.kbps, "out_kbps": spec.kbps}
        self._ports.plug(look, vm_nic_id=spec.id, br_net_id=spec.br_net_id, mac=spec.mac, **limits)
        return Observed(status=resource.status)

    def remove(self, resource: Resource[GuestSpec, GuestStatus], look: Look) -> Gone:
        self._ports.unplug(look, resource.id)
        return Gone()


class GuestService(ResourceService[GuestSpec, GuestStatus]):
    create_body = GuestCreate
    update_body = GuestUpdate


@dataclass(kw_only=True)
class Installation:
    """Calls services the way a face does, each call in a transaction of its own."""

    database: Database
    network: Network
    engine: Engine
    driver: NetworkDriver
    guests: GuestService
    #: the nodes that networks are to be on
    nodes: list[int] = field(default_factory=lambda: [NODE_ID])

    # -- asking --------------------------------------------------------------------------------------

    def create(self, service: AnyService, access: Access = ADMIN, **spec: Any) -> AnyResource:
        body: Any = service.create_body
        return self.database.write(lambda tx: service.create(tx, access, body(**spec)))

    def delete(self, service: AnyService, id: int, access: Access = ADMIN) -> AnyResource:
        return self.database.write(lambda tx: service.delete(tx, access, id))

    def update(self, service: AnyService, id: int, access: Access = ADMIN, **spec: Any) -> AnyResource:
        body: Any = service.update_body
        return self.database.write(lambda tx: service.update(tx, access, id, body(**spec)))

    def act(self, service: AnyService, id: int, verb: str, **spec: Any) -> AnyResource:
        [action] = [each for each in actions_of(service) if each.verb == verb]
        return self.database.write(lambda tx: action.run(service, tx, ADMIN, id, action.body(**spec)))

    def show(self, service: AnyService, id: int, access: Access = ADMIN) -> AnyResource:
        return self.database.read(lambda tx: service.show(tx, access, id))

    def all(self, service: AnyService, **columns: Any) -> list[AnyResource]:
        where = [service.columns[name] == value for name, value in columns.items()]
        return self.database.read(lambda tx: service.store.find(tx, *where, labels=False))

    def named(self, service: AnyService) -> dict[str, int]:
        """The ids of what is there and not on its way out, by name."""
        live = service.columns.deletion_begin.is_(None)
        return {
            each.spec.name: each.id for each in self.database.read(lambda tx: service.store.find(tx, live))
        }

    # -- asking, and waiting until it is done --------------------------------------------------------

    @property
    def system(self) -> int:
        """The switch that is there from the start."""
        return self.all(self.network.vsws, system=True)[0].id

    def switch(self, name: str = "uplinks", **spec: Any) -> int:
        return self.active(self.network.vsws, self.create(self.network.vsws, name=name, **spec).id).id

    def net(self, name: str = "web", vlan_id: int = 0, access: Access = ADMIN, **spec: Any) -> int:
        spec.setdefault("vsw_id", self.system)
        made = self.create(self.network.br_nets, access, name=name, vlan_id=vlan_id, **spec)
        return self.active(self.network.br_nets, made.id).id

    def guest(self, br_net_id: int, mac: str, address: str | None = None) -> int:
        guest = self.create(self.guests, name=mac, br_net_id=br_net_id, mac=mac, address=address)
        return self.active(self.guests, guest.id).id

    def nic(self, name: str) -> int:
        """A network card, once it was found."""
        nics = self.network.nics
        eventually(lambda: self.all(nics, name=name) and self.all(nics, name=name)[0].status.mac_address)
        return self.all(nics, name=name)[0].id

    def remove(self, service: AnyService, id: int) -> None:
        self.delete(service, id)
        self.gone(service, id)

    def active(self, service: AnyService, id: int, seconds: float = 20.0) -> AnyResource:
        eventually(lambda: self.show(service, id).state.state is State.ACTIVE, seconds)
        return self.show(service, id)

    def gone(self, service: AnyService, id: int) -> None:
        eventually(lambda: self.database.read(lambda tx: service.store.get(tx, id)) is None)

    def at_rest(self, seconds: float = 30.0) -> None:
        """Wait until nothing is left to be done now."""

        def resting(transaction: Transaction) -> bool:
            busy = select(WORK.c.id).where((WORK.c.owner.is_not(None)) | (WORK.c.due_at <= transaction.now))
            return transaction.execute(busy.where(WORK.c.kind.in_(self._kinds))).first() is None

        eventually(lambda: self.database.read(resting), seconds)

    @property
    def _kinds(self) -> list[str]:
        return [kind.name for kind in (*KINDS, GUEST)]

    # -- looking behind the scenes -------------------------------------------------------------------

    @property
    def simulated(self) -> SimulatedNetwork:
        assert isinstance(self.driver, SimulatedNetwork)
        return self.driver

    @property
    def look(self) -> Look:
        """What compute would call ports with."""
        lease = Lease(kind="virtual_machine", id=1, owner="test", fence=1, attempts=0, requested=1)
        return Look(self.database, lease)

    def events(self) -> list[str]:
        """What was said of what happened, oldest first."""
        statement = select(EVENT.table.c.message).order_by(EVENT.table.c.id)
        return list(self.database.read(lambda tx: tx.execute(statement).scalars().all()))

    def errors(self, kind: str) -> list[str]:
        """Why looks at resources of a kind fail, as the engine wrote it down."""
        statement = select(WORK.c.error).where(WORK.c.kind == kind, WORK.c.error.is_not(None))
        return list(self.database.read(lambda tx: tx.execute(statement).scalars().all()))


@contextmanager
def running(
    url: str,
    driver: NetworkDriver | None = None,
    *,
    plugs: bool = False,
    settings: EngineSettings = SETTINGS,
) -> Iterator[Installation]:
    """An installation with an engine; simulated, with four network cards, unless a driver is given.

    With `plugs`, guests have ports for as long as they live.
    """
    driver = driver or SimulatedNetwork(SimulatedHost.with_interfaces(["sim0", "sim1", "sim2", "sim3"]))
    database = Database(url)
    create_tables(database, _GUESTS)
    catalogue = Catalogue([*IDENTITY_KINDS, *KINDS, GUEST])
    guests = GuestService(GUEST, catalogue)
    nodes = [NODE_ID]

    def guests_of(transaction: Transaction, br_net_id: int) -> dict[str, str | None]:
        columns = guests.columns
        live = columns.br_net_id == br_net_id, columns.deletion_begin.is_(None)
        return {each.spec.mac: each.spec.address for each in guests.store.find(transaction, *live)}

    network = Network(catalogue, database, driver, nodes_of=lambda tx: nodes, guests_of=guests_of)
    guest = PluggingReconciler(network) if plugs else RecordReconciler(GUEST)
    reconcilers: list[AnyReconciler] = [*network.reconcilers, guest]
    engine = Engine(database, catalogue, reconcilers, owner="test", settings=settings)
    database.on_work = engine.wake
    network.start(NODE_ID)
    engine.start()
    try:
        yield Installation(
            database=database,
            network=network,
            engine=engine,
            driver=driver,
            guests=guests,
            nodes=nodes,
        )
    finally:
        assert engine.stop(timedelta(seconds=10))
        network.close()
        database.close()
