"""Two kinds for the kernel's tests: gardens, which belong to nobody, and plants, which stand in them."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import MetaData

from stratal.kernel.access import SYSTEM, Access, Reach
from stratal.kernel.database import Database
from stratal.kernel.engine import Engine, EngineSettings
from stratal.kernel.fields import CreateSpec, Id, Spec, Status, TenantSpec, UpdateSpec, count_field
from stratal.kernel.journal import AUDIT_LOG, EVENT
from stratal.kernel.kind import Catalogue, Kind, Reference
from stratal.kernel.labels import ATTACHMENT
from stratal.kernel.reconcile import Gone, Look, Observed, StillRemoving
from stratal.kernel.service import ResourceService
from stratal.kernel.store import Resource, Store
from stratal.kernel.tables import METADATA
from stratal.kernel.work import WORK

_METADATA = MetaData(naming_convention=METADATA.naming_convention)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Watering(msgspec.Struct, kw_only=True):
    every_days: int
    litres: float = 1.0


class GardenSpec(Spec, kw_only=True, omit_defaults=True):
    size: int


class GardenStatus(Status, kw_only=True, omit_defaults=True):
    size: int = count_field()
    plants: int = count_field()


class CreateGarden(CreateSpec, kw_only=True):
    size: int = 1


class UpdateGarden(UpdateSpec, kw_only=True):
    size: int | msgspec.UnsetType = msgspec.UNSET


GARDEN: Kind[GardenSpec, GardenStatus] = Kind(
    name="garden",
    plural="gardens",
    type_name="Garden",
    spec=GardenSpec,
    status=GardenStatus,
    unique=(("name",),),
    metadata=_METADATA,
)


class PlantSpec(TenantSpec, kw_only=True, omit_defaults=True):
    garden_id: int
    height: int
    tags: list[str]
    colour: Colour
    watering: Watering | None = None
    weights: dict[str, int] | None = None


class PlantStatus(Status, kw_only=True, omit_defaults=True):
    height: int | None = None
    tags: list[str] = msgspec.field(default_factory=list[str])
    watering: Watering | None = None
    weights: dict[str, int] | None = None


class CreatePlant(CreateSpec, kw_only=True):
    garden_id: Id
    height: int = 0
    tags: list[str] = msgspec.field(default_factory=list[str])
    colour: Colour = Colour.RED
    watering: Watering | None = None
    weights: dict[str, int] | None = None


class UpdatePlant(UpdateSpec, kw_only=True):
    garden_id: Id | msgspec.UnsetType = msgspec.UNSET
    height: int | msgspec.UnsetType = msgspec.UNSET
    tags: list[str] | msgspec.UnsetType = msgspec.UNSET


PLANT: Kind[PlantSpec, PlantStatus] = Kind(
    name="plant",
    plural="plants",
    type_name="Plant",
    spec=PlantSpec,
    status=PlantStatus,
    references=(Reference(field="garden_id", kind="garden"),),
    unique=(("garden_id", "name"),),
    metadata=_METADATA,
)

CATALOGUE = Catalogue([GARDEN, PLANT])


class Gardens(ResourceService[GardenSpec, GardenStatus]):
    create_body = CreateGarden
    update_body = UpdateGarden


class Plants(ResourceService[PlantSpec, PlantStatus]):
    create_body = CreatePlant
    update_body = UpdatePlant


GARDENS = Gardens(GARDEN, CATALOGUE)
PLANTS = Plants(PLANT, CATALOGUE)


_KERNEL_TABLES = [WORK, AUDIT_LOG.table, EVENT.table, ATTACHMENT]


def create_tables(database: Database) -> None:
    METADATA.create_all(database.engine, tables=_KERNEL_TABLES)
    _METADATA.create_all(database.engine)


def forget_everything(database: Database) -> None:
    with database.engine.begin() as connection:
        for table in [*_KERNEL_TABLES, *reversed(_METADATA.sorted_tables)]:
            connection.execute(table.delete())


@contextmanager
def opened(url: str, **options: Any) -> Generator[Database]:
    database = Database(url, **options)
    try:
        yield database
    finally:
        database.close()


def member_of(project_id: int | None) -> Access:
    """A user with the rights of a member of that project."""
    return Access(
        user_id=7,
        user_name="mary",
        project_id=project_id,
        roles=frozenset({"member"}),
        client_ip="192.0.2.1",
        request_id="r-1",
        reach=Reach.PROJECT,
    )


def plant_garden(database: Database, name: str = "eden", size: int = 1) -> int:
    return database.write(lambda tx: GARDENS.create(tx, SYSTEM, CreateGarden(name=name, size=size))).id


def put_plant(
    database: Database, garden_id: int, name: str = "fern", project_id: int = 1, **spec: Any
) -> int:
    body = CreatePlant(name=name, garden_id=garden_id, **spec)
    return database.write(lambda tx: PLANTS.create(tx, member_of(project_id), body)).id


def resize(database: Database, id: int, size: int) -> None:
    database.write(lambda tx: GARDENS.update(tx, SYSTEM, id, UpdateGarden(size=size)))


def garden(database: Database, id: int) -> Resource[GardenSpec, GardenStatus] | None:
    return database.read(lambda tx: Store(GARDEN).get(tx, id))


def work_row(database: Database, kind: str, id: int) -> Any:
    statement = WORK.select().where(WORK.c.kind == kind, WORK.c.id == id)
    return database.read(lambda tx: tx.execute(statement).first())


def audits(database: Database, resource_type: str = "garden") -> list[tuple[str, str]]:
    """Action and status of each call, oldest first."""
    table = AUDIT_LOG.table
    statement = table.select().where(table.c.resource_type == resource_type).order_by(table.c.id)
    return [
        (row.action, row.status.value) for row in database.read(lambda tx: tx.execute(statement).fetchall())
    ]


def eventually(true: Callable[[], object], within: float = 30.0) -> None:
    """Wait until it is true; fail if it does not become so."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


def update_garden(database: Database, id: int, body: UpdateGarden, if_match: str | None = None) -> Any:
    return database.write(lambda tx: GARDENS.update(tx, SYSTEM, id, body, if_match=if_match))


def delete_garden(database: Database, id: int, if_match: str | None = None) -> Any:
    return database.write(lambda tx: GARDENS.delete(tx, SYSTEM, id, if_match=if_match))


class Gardener:
    """A reconciler of gardens that notes its looks. `tend` may be replaced: it is called in each of them."""

    kind = GARDEN

    def __init__(self, tend: Callable[[Any, Look], None] | None = None, concurrency: int = 4) -> None:
        self.concurrency = concurrency
        self.tend = tend or (lambda resource, look: None)
        self.looks: list[int] = []
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()

    def reconcile(self, resource: Resource[GardenSpec, GardenStatus], look: Look) -> Observed[GardenStatus]:
        with self._noted(resource.id):
            self.tend(resource, look)
        return Observed(status=msgspec.structs.replace(resource.status, size=resource.spec.size))

    def remove(
        self, resource: Resource[GardenSpec, GardenStatus], look: Look
    ) -> Gone | StillRemoving[GardenStatus]:
        with self._noted(resource.id):
            self.tend(resource, look)
        return Gone()

    @contextmanager
    def _noted(self, id: int) -> Generator[None]:
        with self._lock:
            self.looks.append(id)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            with self._lock:
                self.at_once -= 1


SETTINGS = EngineSettings(
    workers=4,
    lease=timedelta(seconds=10),
    backoff_base=timedelta(milliseconds=10),
    backoff_cap=timedelta(milliseconds=50),
    poll=timedelta(seconds=30),
)
NEVER_POLLS = replace(SETTINGS, poll=timedelta(minutes=10))


@contextmanager
def running(
    database: Database, *reconcilers: Any, owner: str = "here", settings: EngineSettings = SETTINGS
) -> Generator[Engine]:
    """An engine that is woken by the database's own writes, stopped in the end."""
    engine = Engine(database, CATALOGUE, reconcilers, owner=owner, settings=settings)
    database.on_work = engine.wake
    engine.start()
    try:
        yield engine
    finally:
        engine.stop(timedelta(seconds=10))
