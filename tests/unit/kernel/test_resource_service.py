import threading
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from kernel_garden import (
    CATALOGUE,
    GARDENS,
    PLANTS,
    CreatePlant,
    Gardener,
    Plants,
    UpdateGarden,
    UpdatePlant,
    audits,
    eventually,
    garden,
    member_of,
    plant_garden,
    put_plant,
    resize,
    running,
    work_row,
)
from sqlalchemy import ColumnElement

from stratal.kernel.access import SYSTEM, Access
from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, Invalid, NotFound, PreconditionFailed
from stratal.kernel.journal import AUDIT_LOG
from stratal.kernel.listing import ListRequest
from stratal.kernel.reconcile import Observed, RecordReconciler
from stratal.kernel.state import State
from stratal.kernel.store import Store

MARY, PAUL = member_of(1), member_of(2)


def _show_plant(database: Database, access: Access, id: int) -> Any:
    return database.read(lambda tx: PLANTS.show(tx, access, id))


def _update(database: Database, id: int, body: UpdateGarden, if_match: str | None = None) -> Any:
    return database.write(lambda tx: GARDENS.update(tx, SYSTEM, id, body, if_match=if_match))


def _delete(database: Database, id: int, if_match: str | None = None) -> Any:
    return database.write(lambda tx: GARDENS.delete(tx, SYSTEM, id, if_match=if_match))


# -- creating ----------------------------------------------------------------------------------------


def test_a_new_resource_is_creating(database: Database) -> None:
    assert garden(database, plant_garden(database)).state.state is State.CREATING


def test_a_new_resource_is_asked_to_be_looked_at(database: Database) -> None:
    assert work_row(database, "garden", plant_garden(database)).due_at is not None


def test_a_new_resource_is_in_the_audit_log_as_running(database: Database) -> None:
    plant_garden(database)
    assert audits(database) == [("create", "running")]


def test_a_new_resource_belongs_to_the_project_of_whoever_made_it(database: Database) -> None:
    id = put_plant(database, plant_garden(database), project_id=2)
    assert _show_plant(database, PAUL, id).spec.project_id == 2


def test_a_token_without_a_project_makes_nothing_that_belongs_to_one(database: Database) -> None:
    id = plant_garden(database)
    with pytest.raises(Conflict, match="not for a project"):
        database.write(lambda tx: PLANTS.create(tx, member_of(None), CreatePlant(name="x", garden_id=id)))


def test_structs_lists_and_maps_come_back_as_they_went_in(database: Database) -> None:
    body = {"tags": ["a", "b"], "watering": {"every_days": 3, "litres": 0.5}, "weights": {"b": 1, "a": 2}}
    given = msgspec.convert({"name": "fern", "garden_id": plant_garden(database), **body}, CreatePlant)
    id = database.write(lambda tx: PLANTS.create(tx, MARY, given)).id
    spec = _show_plant(database, MARY, id).spec
    assert (spec.tags, spec.watering, spec.weights, spec.colour) == (
        given.tags,
        given.watering,
        given.weights,
        given.colour,
    )


# -- what must be unique -----------------------------------------------------------------------------


def test_a_name_that_is_taken_is_a_conflict_that_says_so(database: Database) -> None:
    plant_garden(database, "eden")
    with pytest.raises(Conflict, match="already a garden with name 'eden'"):
        plant_garden(database, "eden")


def test_a_name_is_free_again_once_its_bearer_is_being_deleted(database: Database) -> None:
    first = plant_garden(database, "eden")
    _delete(database, first)
    assert plant_garden(database, "eden") != first


def test_a_resource_does_not_stand_in_its_own_way(database: Database) -> None:
    id = plant_garden(database, "eden")
    assert _update(database, id, UpdateGarden(name="eden", size=9)).spec.size == 9


def test_a_change_to_a_name_that_is_taken_is_a_conflict(database: Database) -> None:
    plant_garden(database, "eden")
    other = plant_garden(database, "kew")
    with pytest.raises(Conflict):
        _update(database, other, UpdateGarden(name="eden"))


def test_the_same_name_under_another_parent_is_no_conflict(database: Database) -> None:
    for name in ("eden", "kew"):
        put_plant(database, plant_garden(database, name), "fern")


def test_of_creations_that_race_for_a_name_exactly_one_wins_and_the_others_conflict(
    on_postgres: Database,
) -> None:
    start = threading.Barrier(6)
    outcomes: list[str] = []

    def race() -> None:
        start.wait()
        try:
            plant_garden(on_postgres, "eden")
            outcomes.append("won")
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=race) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict"] * 5 + ["won"]


# -- references --------------------------------------------------------------------------------------


def test_a_reference_to_nothing_is_refused_by_the_name_of_its_field(database: Database) -> None:
    with pytest.raises(Invalid) as caught:
        put_plant(database, 12345)
    assert caught.value.fields["field"] == "spec.garden_id"


def test_a_reference_to_what_is_being_deleted_is_refused(database: Database) -> None:
    id = plant_garden(database)
    _delete(database, id)
    with pytest.raises(Conflict, match="being deleted"):
        put_plant(database, id)


def test_what_is_referred_to_cannot_be_deleted(database: Database) -> None:
    id = plant_garden(database)
    put_plant(database, id)
    with pytest.raises(Conflict, match=f"1 plant still in garden {id}"):
        _delete(database, id)


def test_a_creation_wakes_what_it_refers_to(database: Database) -> None:
    id = plant_garden(database)
    before = work_row(database, "garden", id).requested
    put_plant(database, id)
    assert work_row(database, "garden", id).requested == before + 1


def test_a_move_wakes_both_where_it_leaves_and_where_it_arrives(database: Database) -> None:
    left, arrived = plant_garden(database, "eden"), plant_garden(database, "kew")
    id = put_plant(database, left)
    before = [work_row(database, "garden", each).requested for each in (left, arrived)]
    database.write(lambda tx: PLANTS.update(tx, MARY, id, UpdatePlant(garden_id=arrived)))
    after = [work_row(database, "garden", each).requested for each in (left, arrived)]
    assert after == [number + 1 for number in before]


def test_a_reference_and_a_deletion_that_race_never_both_win(on_postgres: Database) -> None:
    for turn in range(20):
        id = plant_garden(on_postgres, f"g{turn}")
        start = threading.Barrier(2)
        won: list[str] = []

        def attempt(what: str, act: Any, start: Any = start, won: Any = won) -> None:
            start.wait()
            try:
                act()
                won.append(what)
            except Conflict:
                pass

        threads = [
            threading.Thread(target=attempt, args=("plant", lambda id=id: put_plant(on_postgres, id))),
            threading.Thread(target=attempt, args=("delete", lambda id=id: _delete(on_postgres, id))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1


class _NotedPlants(Plants):
    def own(self, access: Access) -> ColumnElement[bool] | None:
        return self.columns.name.like("f%")


# -- etags and updates -------------------------------------------------------------------------------


def test_a_change_makes_a_new_etag(database: Database) -> None:
    id = plant_garden(database, size=1)
    before = garden(database, id).spec.etag
    assert _update(database, id, UpdateGarden(size=2)).spec.etag != before


def test_a_change_that_changes_nothing_keeps_the_etag(database: Database) -> None:
    id = plant_garden(database, size=1)
    before = garden(database, id).spec.etag
    assert _update(database, id, UpdateGarden(size=1)).spec.etag == before


def test_a_change_leaves_alone_what_it_does_not_name(database: Database) -> None:
    id = plant_garden(database, "eden", size=1)
    assert _update(database, id, UpdateGarden(size=2)).spec.name == "eden"


def test_a_change_on_the_etag_that_was_read_is_made(database: Database) -> None:
    id = plant_garden(database, size=1)
    etag = garden(database, id).spec.etag
    assert _update(database, id, UpdateGarden(size=2), if_match=etag).spec.size == 2


@pytest.mark.parametrize("act", [_delete, lambda db, id, tag: _update(db, id, UpdateGarden(size=3), tag)])
def test_what_changed_since_it_was_read_is_not_changed(database: Database, act: Any) -> None:
    id = plant_garden(database, size=1)
    etag = garden(database, id).spec.etag
    resize(database, id, 2)
    with pytest.raises(PreconditionFailed):
        act(database, id, etag)


def test_an_etag_of_any_kind_matches_the_star(database: Database) -> None:
    id = plant_garden(database, size=1)
    assert _update(database, id, UpdateGarden(size=2), if_match="*").spec.size == 2


def test_of_two_changes_on_the_same_etag_that_race_exactly_one_is_made(on_postgres: Database) -> None:
    id = plant_garden(on_postgres, size=1)
    etag = garden(on_postgres, id).spec.etag
    start = threading.Barrier(4)
    outcomes: list[str] = []

    def race(size: int) -> None:
        start.wait()
        try:
            _update(on_postgres, id, UpdateGarden(size=size), if_match=etag)
            outcomes.append("made")
        except PreconditionFailed:
            outcomes.append("refused")

    threads = [threading.Thread(target=race, args=(size,)) for size in range(2, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "refused", "refused", "refused"]


def test_what_is_being_deleted_cannot_be_changed(database: Database) -> None:
    id = plant_garden(database)
    _delete(database, id)
    with pytest.raises(Conflict, match="being deleted"):
        resize(database, id, 2)


def test_the_audit_log_shows_what_a_change_changed(database: Database) -> None:
    id = plant_garden(database, "eden", size=1)
    _update(database, id, UpdateGarden(name="eden", size=2))
    statement = AUDIT_LOG.table.select().where(AUDIT_LOG.table.c.action == "update")
    row = database.read(lambda tx: tx.execute(statement).one())
    assert (row.old_data, row.new_data) == ({"size": 1}, {"size": 2})


# -- deleting ----------------------------------------------------------------------------------------


def test_a_deletion_begins_and_is_still_to_be_seen(database: Database) -> None:
    id = plant_garden(database)
    _delete(database, id)
    spec = garden(database, id).spec
    assert (spec.deletion_begin is not None, spec.deletion_finish) == (True, None)


def test_a_deletion_that_is_asked_for_again_is_the_same_deletion(database: Database) -> None:
    id = plant_garden(database)
    first = _delete(database, id).spec.deletion_begin
    assert _delete(database, id).spec.deletion_begin == first


def test_a_resource_is_gone_once_its_reconciler_says_so(database: Database) -> None:
    id = plant_garden(database)
    with running(database, Gardener()):
        _delete(database, id)
        eventually(lambda: garden(database, id) is None)


def test_a_tombstone_has_all_three_times_in_order(database: Database) -> None:
    id = plant_garden(database)
    with running(database, Gardener()):
        _delete(database, id)
        eventually(lambda: garden(database, id) is None)
    table = GARDENS.kind.tables.spec
    row = database.read(lambda tx: tx.execute(table.select().where(table.c.id == id)).one())
    assert row.created_at <= row.deletion_begin <= row.deletion_finish == row.deleted_at.time


def test_an_id_is_never_used_twice(database: Database) -> None:
    first = plant_garden(database)
    with running(database, Gardener()):
        _delete(database, first)
        eventually(lambda: garden(database, first) is None)
    assert plant_garden(database) > first


def test_a_resource_that_is_gone_is_not_found(database: Database) -> None:
    id = plant_garden(database)
    with running(database, Gardener()):
        _delete(database, id)
        eventually(lambda: garden(database, id) is None)
    with pytest.raises(NotFound):
        _delete(database, id)


# -- whose it is -------------------------------------------------------------------------------------


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
            _show_plant(database, PAUL, each)
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


# -- listing -----------------------------------------------------------------------------------------


def test_a_list_leaves_out_tombstones(database: Database) -> None:
    id = plant_garden(database, "eden")
    kept = plant_garden(database, "kew")
    with running(database, Gardener()):
        _delete(database, id)
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


def test_the_clock_of_the_kernel_is_the_clock_of_what_is_written(database: Database) -> None:
    before = database.clock.now()
    created = garden(database, plant_garden(database)).spec.created_at
    assert timedelta() <= created - before < timedelta(seconds=10)
