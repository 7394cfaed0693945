from datetime import timedelta
from typing import Any

import msgspec
import pytest
from engine_world import at_rest
from kernel_garden import (
    CATALOGUE,
    GARDENS,
    NEVER_POLLS,
    PLANTS,
    Gardener,
    Plants,
    UpdatePlant,
    delete_garden,
    eventually,
    garden,
    member_of,
    plant_garden,
    put_plant,
    running,
)
from sqlalchemy import ColumnElement

from stratal.kernel import work
from stratal.kernel.access import SYSTEM, Access
from stratal.kernel.database import Database
from stratal.kernel.errors import NotFound
from stratal.kernel.listing import ListRequest
from stratal.kernel.reconcile import Gone, Look, Observed, RecordReconciler
from stratal.kernel.state import State
from stratal.kernel.store import Store

MARY, PAUL = member_of(1), member_of(2)


class _NotedPlants(Plants):
    def own(self, access: Access) -> ColumnElement[bool] | None:
        return self.columns.name.like("f%")


def show_plant(database: Database, access: Access, id: int) -> Any:
    return database.read(lambda tx: PLANTS.show(tx, access, id))


# -- whose it is -----------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["show", "update", "delete"])
def test_what_belongs_to_another_project_is_not_there(database: Database, act: str) -> None:
    id = put_plant(database, plant_garden(database), project_id=1)
    calls = {
        "show": lambda tx: PLANTS.show(tx, PAUL, id),
        "update": lambda tx: PLANTS.update(tx, PAUL, id, UpdatePlant(height=2)),
        "delete": lambda tx: PLANTS.delete(tx, PAUL, id),
    }
    with pytest.raises(NotFound):
        database.write(calls[act])


def test_what_never_existed_is_not_found_in_the_same_words(database: Database) -> None:
    id = put_plant(database, plant_garden(database), project_id=1)
    messages: list[str] = []
    for each in (id, id + 1):
        with pytest.raises(NotFound) as caught:
            show_plant(database, PAUL, each)
        messages.append(str(caught.value).replace(str(each), "N"))
    assert messages[0] == messages[1]


def test_a_list_shows_what_belongs_to_the_project(database: Database) -> None:
    id = plant_garden(database)
    mine, _ = put_plant(database, id, "fern", 1), put_plant(database, id, "moss", 2)
    page = database.read(lambda tx: PLANTS.page(tx, MARY, ListRequest()))
    assert ([item.id for item in page.items], page.total_count) == ([mine], 1)


def test_a_caller_who_reaches_everything_sees_every_project(database: Database) -> None:
    id = plant_garden(database)
    both = [put_plant(database, id, "fern", 1), put_plant(database, id, "moss", 2)]
    page = database.read(lambda tx: PLANTS.page(tx, SYSTEM, ListRequest(sort="metadata.id")))
    assert [item.id for item in page.items] == both


def test_a_service_may_say_otherwise_what_a_caller_knows_of(database: Database) -> None:
    id = plant_garden(database)
    put_plant(database, id, "moss", 1)
    fern = put_plant(database, id, "fern", 2)
    noted = _NotedPlants(PLANTS.kind, CATALOGUE)
    page = database.read(lambda tx: noted.page(tx, MARY, ListRequest()))
    assert [item.id for item in page.items] == [fern]


# -- listing ---------------------------------------------------------------------------------------


def test_a_list_leaves_out_tombstones(database: Database) -> None:
    id = plant_garden(database, "eden")
    kept = plant_garden(database, "kew")
    with running(database, Gardener()):
        delete_garden(database, id)
        eventually(lambda: garden(database, id) is None)
    page = database.read(lambda tx: GARDENS.page(tx, SYSTEM, ListRequest()))
    assert ([item.id for item in page.items], page.total_count) == ([kept], 1)


@pytest.mark.parametrize(
    ("offset", "shown"), [("0", ["a", "b"]), ("2", ["c", "d"]), ("4", ["e"]), ("5", []), ("9", [])]
)
def test_every_page_knows_how_many_there_are_on_all(
    database: Database, offset: str, shown: list[str]
) -> None:
    for name in "abcde":
        plant_garden(database, name)
    request = ListRequest(sort="metadata.name", limit="2", offset=offset)
    page = database.read(lambda tx: GARDENS.page(tx, SYSTEM, request))
    assert ([item.spec.name for item in page.items], page.total_count) == (shown, 5)


def test_a_list_can_be_filtered_by_the_derived_state(database: Database) -> None:
    id = plant_garden(database, "eden")
    with running(database, Gardener()):
        eventually(lambda: garden(database, id).state.state is State.ACTIVE)
    plant_garden(database, "kew")
    request = ListRequest(q="metadata.state.state:creating")
    page = database.read(lambda tx: GARDENS.page(tx, SYSTEM, request))
    assert [item.spec.name for item in page.items] == ["kew"]


def test_the_status_of_a_target_follows_what_refers_to_it(database: Database) -> None:
    class Counting(Gardener):
        def reconcile(self, resource: Any, look: Any) -> Any:
            plants = Store(PLANTS.kind)
            number = look.read(
                lambda tx: plants.count(tx, plants.kind.tables.spec.c.garden_id == resource.id)
            )
            return Observed(status=msgspec.structs.replace(resource.status, plants=number))

    id = plant_garden(database)
    with running(database, Counting(), RecordReconciler(PLANTS.kind)):
        put_plant(database, id)
        eventually(lambda: garden(database, id).status.plants == 1, within=5)


def test_a_target_is_woken_when_a_creation_ends_that_was_seen_through_before(database: Database) -> None:
    class Growing:
        """The first look sees all there is to see, and is overtaken by a request; the second ends."""

        kind = PLANTS.kind
        concurrency = 1
        looks = 0

        def reconcile(self, resource: Any, look: Look) -> Any:
            self.looks += 1
            if self.looks == 1:
                database.write(lambda tx: work.ask(tx, "plant", resource.id))
            else:
                eventually(lambda: at_rest(database, resource.spec.garden_id))
            return Observed(status=msgspec.structs.replace(resource.status, height=7))

        def remove(self, resource: Any, look: Look) -> Any:
            return Gone()

    class Counting(Gardener):
        def reconcile(self, resource: Any, look: Look) -> Any:
            plants = Store(PLANTS.kind)
            spec = plants.kind.tables.spec.c
            grown = (spec.garden_id == resource.id, spec.creation_finish.is_not(None))
            number = look.read(lambda tx: plants.count(tx, *grown))
            return Observed(status=msgspec.structs.replace(resource.status, plants=number))

    id = plant_garden(database)
    with running(database, Counting(), Growing(), settings=NEVER_POLLS):
        put_plant(database, id)
        eventually(lambda: garden(database, id).status.plants == 1, within=5)


def test_the_clock_of_the_kernel_is_the_clock_of_what_is_written(database: Database) -> None:
    before = database.clock.now()
    created = garden(database, plant_garden(database)).spec.created_at
    assert timedelta() <= created - before < timedelta(seconds=10)
