"""What a kind may declare and gardens do not: sharing, optional unique values, defaults, fields apart."""

from collections.abc import Generator
from typing import ClassVar

import msgspec
import pytest
from kernel_garden import SYSTEM, create_tables, opened
from sqlalchemy import MetaData

from stratal.kernel.access import Access, Reach
from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.fields import CreateSpec, Id, Status, TenantSpec, UpdateSpec
from stratal.kernel.kind import Catalogue, Kind, Reference
from stratal.kernel.service import ResourceService
from stratal.kernel.state import State
from stratal.kernel.store import Resource
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction

_METADATA = MetaData(naming_convention=METADATA.naming_convention)


class SeedSpec(TenantSpec, kw_only=True, omit_defaults=True):
    public: bool = False
    code: str | None = None
    parent_id: int | None = None
    days: int = 7
    tags: list[str] = msgspec.field(default_factory=lambda: ["new"])
    place: str = "shelf"


class SeedStatus(Status, kw_only=True, omit_defaults=True):
    not_compared: ClassVar[frozenset[str]] = frozenset({"place"})

    days: int | None = None
    place: str | None = None


class SeedSecrets(msgspec.Struct, kw_only=True):
    recipe: str = "none"


class CreateSeed(CreateSpec, kw_only=True):
    public: bool | msgspec.UnsetType = msgspec.UNSET
    code: str | msgspec.UnsetType | None = msgspec.UNSET
    parent_id: Id | msgspec.UnsetType = msgspec.UNSET


class UpdateSeed(UpdateSpec, kw_only=True):
    code: str | msgspec.UnsetType | None = msgspec.UNSET


SEED: Kind[SeedSpec, SeedStatus] = Kind(
    name="seed",
    plural="seeds",
    type_name="Seed",
    spec=SeedSpec,
    status=SeedStatus,
    private=SeedSecrets,
    shared_by="public",
    references=(Reference(field="parent_id", kind="seed"),),
    unique=(("project_id", "code"),),
    metadata=_METADATA,
)


class Seeds(ResourceService[SeedSpec, SeedStatus]):
    create_body = CreateSeed
    update_body = UpdateSeed


SEEDS = Seeds(SEED, Catalogue([SEED]))


@pytest.fixture
def database(sqlite_url: str) -> Generator[Database]:
    with opened(sqlite_url) as database:
        create_tables(database)
        _METADATA.create_all(database.engine)
        yield database


def _member(project_id: int) -> Access:
    return Access(
        user_id=7,
        user_name="member",
        project_id=project_id,
        roles=frozenset(),
        client_ip="",
        request_id="",
        reach=Reach.PROJECT,
    )


def _sow(
    database: Database, name: str, *, project: int = 1, **values: object
) -> Resource[SeedSpec, SeedStatus]:
    body = CreateSeed(name=name, **values)  # pyright: ignore[reportArgumentType]
    return database.write(lambda tx: SEEDS.create(tx, _member(project), body))


def test_a_shared_resource_can_be_referred_to_from_any_project(database: Database) -> None:
    shared = _sow(database, "rye", project=1, public=True)
    assert _sow(database, "oats", project=2, parent_id=shared.id).spec.parent_id == shared.id


def test_one_that_is_not_shared_does_not_exist_for_other_projects(database: Database) -> None:
    kept = _sow(database, "rye", project=1)
    with pytest.raises(Invalid, match=r"parent_id.*there is no seed"):
        _sow(database, "oats", project=2, parent_id=kept.id)
    assert _sow(database, "oats", project=1, parent_id=kept.id).spec.parent_id == kept.id


def test_two_unique_values_that_are_null_are_no_conflict(database: Database) -> None:
    first, second = _sow(database, "rye"), _sow(database, "oats", code=None)
    database.write(lambda tx: SEEDS.update(tx, _member(1), first.id, UpdateSeed(code="a")))
    database.write(lambda tx: SEEDS.update(tx, _member(1), first.id, UpdateSeed(code=None)))
    assert (first.spec.code, second.spec.code) == (None, None)


def test_two_unique_values_that_are_not_null_are_a_conflict(database: Database) -> None:
    _sow(database, "rye", code="a")
    other = _sow(database, "oats")
    with pytest.raises(Conflict, match="code 'a'"):
        database.write(lambda tx: SEEDS.update(tx, _member(1), other.id, UpdateSeed(code="a")))
    assert _sow(database, "wheat", project=2, code="a").spec.code == "a"


def test_what_a_creation_leaves_out_has_the_default_of_its_declaration(database: Database) -> None:
    seed = _sow(database, "rye")
    assert (seed.spec.public, seed.spec.days, seed.spec.tags) == (False, 7, ["new"])
    assert database.read(lambda tx: SEEDS.store.private(tx, seed.id, "recipe")) == "none"


def test_a_field_that_means_something_else_in_the_status_is_not_compared(database: Database) -> None:
    seed = _sow(database, "rye")

    def observe(transaction: Transaction, days: int) -> None:
        status = msgspec.structs.replace(seed.status, days=days, place="greenhouse")
        SEEDS.store.change_status(transaction, seed.id, status, [])
        SEEDS.store.mark(transaction, seed.id, {"creation_finish": transaction.now})

    def state() -> State:
        return database.read(lambda tx: SEEDS.show(tx, SYSTEM, seed.id)).state.state

    database.write(lambda tx: observe(tx, 6))
    assert state() is State.RECONCILING
    database.write(lambda tx: observe(tx, 7))
    assert state() is State.ACTIVE
