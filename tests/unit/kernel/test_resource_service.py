import threading
from typing import Any

import msgspec
import pytest
from kernel_garden import (
    GARDENS,
    PLANTS,
    CreatePlant,
    Gardener,
    UpdateGarden,
    audits,
    delete_garden,
    eventually,
    garden,
    member_of,
    plant_garden,
    put_plant,
    resize,
    running,
    update_garden,
    work_row,
)

from stratal.kernel.access import Access
from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, NotFound, PreconditionFailed
from stratal.kernel.journal import AUDIT_LOG
from stratal.kernel.state import State

MARY, PAUL = member_of(1), member_of(2)


def show_plant(database: Database, access: Access, id: int) -> Any:
    return database.read(lambda tx: PLANTS.show(tx, access, id))


# -- creating --------------------------------------------------------------------------------------


def test_a_new_resource_is_creating(database: Database) -> None:
    assert garden(database, plant_garden(database)).state.state is State.CREATING


def test_a_new_resource_is_asked_to_be_looked_at(database: Database) -> None:
    assert work_row(database, "garden", plant_garden(database)).due_at is not None


def test_a_new_resource_is_in_the_audit_log_as_running(database: Database) -> None:
    plant_garden(database)
    assert audits(database) == [("create", "running")]


def test_a_new_resource_belongs_to_the_project_of_whoever_made_it(database: Database) -> None:
    id = put_plant(database, plant_garden(database), project_id=2)
    assert show_plant(database, PAUL, id).spec.project_id == 2


def test_a_token_without_a_project_makes_nothing_that_belongs_to_one(database: Database) -> None:
    id = plant_garden(database)
    with pytest.raises(Conflict, match="not for a project"):
        database.write(lambda tx: PLANTS.create(tx, member_of(None), CreatePlant(name="x", garden_id=id)))


def test_structs_lists_and_maps_come_back_as_they_went_in(database: Database) -> None:
    body = {"tags": ["a", "b"], "watering": {"every_days": 3, "litres": 0.5}, "weights": {"b": 1, "a": 2}}
    given = msgspec.convert({"name": "fern", "garden_id": plant_garden(database), **body}, CreatePlant)
    id = database.write(lambda tx: PLANTS.create(tx, MARY, given)).id
    spec = show_plant(database, MARY, id).spec
    assert (spec.tags, spec.watering, spec.weights, spec.colour) == (
        given.tags,
        given.watering,
        given.weights,
        given.colour,
    )


# -- etags and updates -----------------------------------------------------------------------------


def test_a_change_makes_a_new_etag(database: Database) -> None:
    id = plant_garden(database, size=1)
    before = garden(database, id).spec.etag
    assert update_garden(database, id, UpdateGarden(size=2)).spec.etag != before


def test_a_change_that_changes_nothing_keeps_the_etag(database: Database) -> None:
    id = plant_garden(database, size=1)
    before = garden(database, id).spec.etag
    assert update_garden(database, id, UpdateGarden(size=1)).spec.etag == before


def test_a_change_leaves_alone_what_it_does_not_name(database: Database) -> None:
    id = plant_garden(database, "eden", size=1)
    assert update_garden(database, id, UpdateGarden(size=2)).spec.name == "eden"


def test_a_change_on_the_etag_that_was_read_is_made(database: Database) -> None:
    id = plant_garden(database, size=1)
    etag = garden(database, id).spec.etag
    assert update_garden(database, id, UpdateGarden(size=2), if_match=etag).spec.size == 2


@pytest.mark.parametrize(
    "act", [delete_garden, lambda db, id, tag: update_garden(db, id, UpdateGarden(size=3), tag)]
)
def test_what_changed_since_it_was_read_is_not_changed(database: Database, act: Any) -> None:
    id = plant_garden(database, size=1)
    etag = garden(database, id).spec.etag
    resize(database, id, 2)
    with pytest.raises(PreconditionFailed):
        act(database, id, etag)


def test_an_etag_of_any_kind_matches_the_star(database: Database) -> None:
    id = plant_garden(database, size=1)
    assert update_garden(database, id, UpdateGarden(size=2), if_match="*").spec.size == 2


def test_of_two_changes_on_the_same_etag_that_race_exactly_one_is_made(on_postgres: Database) -> None:
    id = plant_garden(on_postgres, size=1)
    etag = garden(on_postgres, id).spec.etag
    start = threading.Barrier(4)
    outcomes: list[str] = []

    def race(size: int) -> None:
        start.wait()
        try:
            update_garden(on_postgres, id, UpdateGarden(size=size), if_match=etag)
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
    delete_garden(database, id)
    with pytest.raises(Conflict, match="being deleted"):
        resize(database, id, 2)


def test_the_audit_log_shows_what_a_change_changed(database: Database) -> None:
    id = plant_garden(database, "eden", size=1)
    update_garden(database, id, UpdateGarden(name="eden", size=2))
    statement = AUDIT_LOG.table.select().where(AUDIT_LOG.table.c.action == "update")
    row = database.read(lambda tx: tx.execute(statement).one())
    assert (row.old_data, row.new_data) == ({"size": 1}, {"size": 2})


# -- deleting --------------------------------------------------------------------------------------


def test_a_deletion_begins_and_is_still_to_be_seen(database: Database) -> None:
    id = plant_garden(database)
    delete_garden(database, id)
    spec = garden(database, id).spec
    assert (spec.deletion_begin is not None, spec.deletion_finish) == (True, None)


def test_a_deletion_that_is_asked_for_again_is_the_same_deletion(database: Database) -> None:
    id = plant_garden(database)
    first = delete_garden(database, id).spec.deletion_begin
    assert delete_garden(database, id).spec.deletion_begin == first


def test_a_resource_is_gone_once_its_reconciler_says_so(database: Database) -> None:
    id = plant_garden(database)
    with running(database, Gardener()):
        delete_garden(database, id)
        eventually(lambda: garden(database, id) is None)


def test_a_tombstone_has_all_three_times_in_order(database: Database) -> None:
    id = plant_garden(database)
    with running(database, Gardener()):
        delete_garden(database, id)
        eventually(lambda: garden(database, id) is None)
    table = GARDENS.kind.tables.spec
    row = database.read(lambda tx: tx.execute(table.select().where(table.c.id == id)).one())
    assert row.created_at <= row.deletion_begin <= row.deletion_finish == row.deleted_at.time


def test_an_id_is_never_used_twice(database: Database) -> None:
    first = plant_garden(database)
    with running(database, Gardener()):
        delete_garden(database, first)
        eventually(lambda: garden(database, first) is None)
    assert plant_garden(database) > first


def test_a_resource_that_is_gone_is_not_found(database: Database) -> None:
    id = plant_garden(database)
    with running(database, Gardener()):
        delete_garden(database, id)
        eventually(lambda: garden(database, id) is None)
    with pytest.raises(NotFound):
        delete_garden(database, id)
