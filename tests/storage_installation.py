"""A running installation of the storage domain, and short ways to ask it for things, as a face does."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select

from declared_tables import create_tables
from stratal.identity import KINDS as IDENTITY_KINDS
from stratal.kernel.access import Access, Reach
from stratal.kernel.actions import actions_of
from stratal.kernel.database import Database
from stratal.kernel.engine import Engine, EngineSettings
from stratal.kernel.errors import Invalid
from stratal.kernel.journal import EVENT
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import ResourceService
from stratal.kernel.state import State
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import WORK, ask
from stratal.storage import KINDS, Backend, ImageSettings, Storage, Use
from stratal.storage.bs_volume.model import BsVolumeClone
from stratal.storage.drivers.contract import LayerDriver, LayerId
from stratal.storage.drivers.errors import LayerBusy
from stratal.storage.drivers.qcow2 import Qcow2Driver
from stratal.storage.drivers.simulated import Place, Script, SimulatedDriver
from stratal.storage.layers import Layer, NameKind
from stratal.storage.tree import rows
from stratal.storage.tree.model import TREE
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

T = TypeVar("T")
AnyResource = Resource[Any, Any]
AnyService = ResourceService[Any, Any]

SETTINGS = EngineSettings(
    workers=8,
    backoff_base=timedelta(milliseconds=20),
    backoff_cap=timedelta(milliseconds=200),
    poll=timedelta(seconds=0.5),
)


@dataclass(kw_only=True)
class Installation:
    """Calls services the way a face does, each call in a transaction of its own."""

    database: Database
    storage: Storage
    engine: Engine
    script: Script
    #: who uses which volume, as compute would say
    uses: dict[int, Use] = field(default_factory=dict)

    # -- asking --------------------------------------------------------------------------------------

    def create(self, service: AnyService, access: Access = ADMIN, **spec: Any) -> AnyResource:
        body: Any = service.create_body
        body = service.prepare_create(access, body(**spec))
        return self.database.write(lambda tx: service.create(tx, access, body))

    def delete(self, service: AnyService, id: int, access: Access = ADMIN) -> AnyResource:
        return self.database.write(lambda tx: service.delete(tx, access, id))

    def update(self, service: AnyService, id: int, access: Access = ADMIN, **spec: Any) -> AnyResource:
        body: Any = service.update_body
        body = service.prepare_update(access, id, body(**spec))
        return self.database.write(lambda tx: service.update(tx, access, id, body))

    def act(
        self, service: AnyService, id: int, verb: str, access: Access = ADMIN, **spec: Any
    ) -> AnyResource:
        [action] = [each for each in actions_of(service) if each.verb == verb]
        return self.database.write(lambda tx: action.run(service, tx, access, id, action.body(**spec)))

    def show(self, service: AnyService, id: int, access: Access = ADMIN) -> AnyResource:
        return self.database.read(lambda tx: service.show(tx, access, id))

    @property
    def volumes(self) -> AnyService:
        return self.storage.bs_volumes

    @property
    def snaps(self) -> AnyService:
        return self.storage.bs_snaps

    @property
    def policies(self) -> AnyService:
        return self.storage.bs_policies

    # -- asking, and waiting until it is done --------------------------------------------------------

    def policy(self, **spec: Any) -> int:
        return self.active(self.policies, self.create(self.policies, **{"name": "gold", **spec}).id).id

    def volume(self, name: str = "disk", size_mb: int = 1, access: Access = ADMIN, **spec: Any) -> int:
        spec.setdefault("bs_policy_id", self.default_policy)
        volume = self.create(self.volumes, access, name=name, size_mb=size_mb, **spec)
        return self.active(self.volumes, volume.id).id

    def snapshot(self, volume_id: int, name: str = "moment", access: Access = ADMIN) -> int:
        snap = self.create(self.snaps, access, name=name, bs_volume_id=volume_id)
        return self.active(self.snaps, snap.id).id

    def clone(self, snap_id: int, name: str = "copy", flatten: bool = False, access: Access = ADMIN) -> int:
        return self.active(self.volumes, self.ask_for_clone(snap_id, name, flatten, access).id).id

    def ask_for_clone(
        self, snap_id: int, name: str = "copy", flatten: bool = False, access: Access = ADMIN
    ) -> AnyResource:
        body = BsVolumeClone(name=name, bs_snap_id=snap_id, flatten=flatten)
        return self.database.write(lambda tx: self.storage.bs_volumes.clone(tx, access, body))

    def rollback(self, volume_id: int, snap_id: int) -> None:
        self.act(self.volumes, volume_id, "rollback", bs_snap_id=snap_id)
        self.active(self.volumes, volume_id)

    def remove(self, service: AnyService, id: int) -> None:
        self.delete(service, id)
        self.gone(service, id)

    @property
    def default_policy(self) -> int:
        return self.database.read(lambda tx: self.storage.bs_policies.store.find(tx)[0].id)

    def active(self, service: AnyService, id: int, seconds: float = 20.0) -> AnyResource:
        eventually(lambda: self.show(service, id).state.state is State.ACTIVE, seconds)
        return self.show(service, id)

    def gone(self, service: AnyService, id: int) -> None:
        eventually(lambda: self.database.read(lambda tx: service.store.get(tx, id)) is None)

    # -- looking behind the scenes -------------------------------------------------------------------

    def driver(self, policy_id: int | None = None) -> LayerDriver:
        policy = self.show(self.policies, policy_id or self.default_policy)
        return self.storage.places.driver(policy.spec.driver, policy.spec.place)

    def layer_of(self, service: AnyService, id: int) -> LayerId:
        kind = NameKind.HEAD if service is self.volumes else NameKind.SNAPSHOT
        return self.database.read(lambda tx: rows.path(tx, rows.name_of(kind, id)))[0].layer.id

    def tree_id(self, volume_id: int) -> int:
        found = self.database.read(lambda tx: rows.tree_of(tx, rows.name_of(NameKind.HEAD, volume_id)))
        assert found is not None
        return found

    def tree_layers(self, volume_id: int) -> list[Layer]:
        """The layers that a volume needs, from its own down to the root."""
        found = self.database.read(lambda tx: rows.path(tx, rows.name_of(NameKind.HEAD, volume_id)))
        return [placed.layer for placed in found]

    def trees(self) -> list[AnyResource]:
        return self.database.read(lambda tx: Store(TREE).find(tx, labels=False))

    def tree_error(self) -> str | None:
        """What the engine wrote down when it last looked at a tree in vain."""
        statement = select(WORK.c.error).where(WORK.c.kind == TREE.name, WORK.c.error.is_not(None))
        return self.database.read(lambda tx: tx.execute(statement).scalar())

    def weigh_again(self) -> None:
        """As if it had been a long time since the layers were weighed."""

        def write(transaction: Transaction) -> None:
            transaction.execute(TREE.tables.status.update().values(weighed_at=None))
            for tree in Store(TREE).find(transaction, labels=False):
                ask(transaction, TREE.name, tree.id)

        self.at_rest()
        self.database.write(write)

    def stop_engine(self) -> None:
        """From now on requests are written down and nobody acts on them."""
        assert self.engine.stop(timedelta(seconds=10))

    def hold_up(self, service: AnyService, id: int) -> None:
        """Keep the engine from looking at a resource, as if another process were at it."""
        later = self.database.clock.now() + timedelta(hours=1)
        lease = {"owner": "somebody else", "lease_until": later}
        kind = WORK.c.kind == service.kind.name
        statement = WORK.update().where(kind, WORK.c.id == id).values(**lease)
        self.database.write(lambda tx: tx.execute(statement))

    def write(self, volume_id: int, offset: int, data: bytes) -> None:
        """Write as a guest would. Waits for a merge into the volume to end, which keeps writers out."""
        layer = self.layer_of(self.volumes, volume_id)
        driver = self.driver(self.show(self.volumes, volume_id).spec.bs_policy_id)
        with _once_free(lambda: driver.open_writing(layer)) as writer:
            writer.write(offset, data)

    def read(self, service: AnyService, id: int, offset: int = 0, length: int | None = None) -> bytes:
        """Waits for a writer to end: one that was killed holds the layer until the kernel has seen to it."""
        layer = self.layer_of(service, id)
        driver = self.driver(self.show(service, id).spec.bs_policy_id)
        with _once_free(lambda: driver.open_reading(layer)) as reader:
            return reader.read(offset, reader.size_bytes if length is None else length)

    def stored_layers(self) -> set[str]:
        return set(self.database.read(lambda tx: tx.execute(select(rows.LAYER.c.id)).scalars().all()))

    def events(self) -> list[tuple[str, str]]:
        """What happened, and the message, oldest first."""
        table = EVENT.table
        statement = select(table.c.event, table.c.message).order_by(table.c.id)
        return [tuple(row) for row in self.database.read(lambda tx: tx.execute(statement).fetchall())]

    def at_rest(self, seconds: float = 30.0) -> None:
        """Wait until nothing is left to do, and every layer in the places is one of a tree that needs it."""

        def settled(transaction: Transaction) -> bool:
            busy = select(WORK.c.id).where((WORK.c.owner.is_not(None)) | (WORK.c.due_at <= transaction.now))
            if transaction.execute(busy).first() is not None:
                return False
            for tree in Store(TREE).find(transaction, labels=False):
                stored = rows.load(transaction, tree.id)
                if stored.graph.unsettled or self.storage.background.look(tree.id).busy:
                    return False
                if any(len(stored.graph.children(each)) < 2 for each in stored.graph.hidden):
                    return False
            return True

        eventually(lambda: self.database.read(settled), seconds)


@contextmanager
def _once_free(attempt: Callable[[], AbstractContextManager[T]], seconds: float = 10.0) -> Iterator[T]:
    """Open a layer that others may have in use for a moment."""
    deadline = time.monotonic() + seconds
    with ExitStack() as stack:
        while True:
            try:
                opened = stack.enter_context(attempt())
                break
            except LayerBusy:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        yield opened


def simulated(script: Script, total_bytes: int = 2**60) -> Backend:
    def canonical(place: str) -> str:
        if place == "nowhere":
            raise Invalid(field="spec.place", reason="there is no such place")
        return place or "memory"

    return Backend(
        canonical=canonical,
        prepare=lambda place: None,
        open=lambda place: SimulatedDriver(Place(name=place, total_bytes=total_bytes), script=script),
    )


def qcow2(directory: Path) -> Backend:
    def canonical(place: str) -> str:
        path = directory / place if place else directory
        path.mkdir(exist_ok=True)
        return str(path)

    return Backend(
        canonical=canonical,
        prepare=lambda place: Qcow2Driver(Path(place)).prepare(),
        open=lambda place: Qcow2Driver(Path(place)),
    )


@contextmanager
def running(
    url: str,
    backends: Mapping[str, Backend] | None = None,
    *,
    script: Script | None = None,
    settings: EngineSettings = SETTINGS,
    images: ImageSettings | None = None,
) -> Iterator[Installation]:
    """An installation with an engine; simulated unless other backends are given."""
    script = script or Script()
    backends = backends or {"simulated": simulated(script)}
    database = Database(url)
    create_tables(database)
    catalogue = Catalogue([*IDENTITY_KINDS, *KINDS])
    uses: dict[int, Use] = {}
    storage = Storage(
        catalogue,
        database,
        backends,
        default_driver=next(iter(backends)),
        images=images or ImageSettings(spool=Path("/nonexistent")),
        use_of=lambda tx, volume_id: uses.get(volume_id),
    )
    engine = Engine(database, catalogue, storage.reconcilers, owner="test", settings=settings)
    database.on_work = engine.wake
    storage.start()
    engine.start()
    here = Installation(database=database, storage=storage, engine=engine, script=script, uses=uses)
    try:
        yield here
    finally:
        assert engine.stop(timedelta(seconds=10))
        storage.close()
        database.close()
