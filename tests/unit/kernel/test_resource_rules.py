import threading
from typing import Any

import pytest
from kernel_garden import (
    PLANTS,
    UpdateGarden,
    UpdatePlant,
    delete_garden,
    member_of,
    plant_garden,
    put_plant,
    update_garden,
    work_row,
)

from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, Invalid

# -- what must be unique ---------------------------------------------------------------------------


def test_a_name_that_is_taken_is_a_conflict_that_says_so(database: Database) -> None:
    plant_garden(database, "eden")
    with pytest.raises(Conflict, match="already a garden with name 'eden'"):
        plant_garden(database, "eden")


def test_a_name_is_free_again_once_its_bearer_is_being_deleted(database: Database) -> None:
    first = plant_garden(database, "eden")
    delete_garden(database, first)
    assert plant_garden(database, "eden") != first


def test_a_resource_does_not_stand_in_its_own_way(database: Database) -> None:
    id = plant_garden(database, "eden")
    assert update_garden(database, id, UpdateGarden(name="eden", size=9)).spec.size == 9


def test_a_change_to_a_name_that_is_taken_is_a_conflict(database: Database) -> None:
    plant_garden(database, "eden")
    other = plant_garden(database, "kew")
    with pytest.raises(Conflict):
        update_garden(database, other, UpdateGarden(name="eden"))


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


# -- references ------------------------------------------------------------------------------------


def test_a_reference_to_nothing_is_refused_by_the_name_of_its_field(database: Database) -> None:
    with pytest.raises(Invalid) as caught:
        put_plant(database, 12345)
    assert caught.value.fields["field"] == "spec.garden_id"


def test_a_reference_to_what_is_being_deleted_is_refused(database: Database) -> None:
    id = plant_garden(database)
    delete_garden(database, id)
    with pytest.raises(Conflict, match="being deleted"):
        put_plant(database, id)


def test_what_is_referred_to_cannot_be_deleted(database: Database) -> None:
    id = plant_garden(database)
    put_plant(database, id)
    with pytest.raises(Conflict, match=f"1 plant still in garden {id}"):
        delete_garden(database, id)


def test_a_creation_wakes_what_it_refers_to(database: Database) -> None:
    id = plant_garden(database)
    before = work_row(database, "garden", id).requested
    put_plant(database, id)
    assert work_row(database, "garden", id).requested == before + 1


def test_a_move_wakes_both_where_it_leaves_and_where_it_arrives(database: Database) -> None:
    left, arrived = plant_garden(database, "eden"), plant_garden(database, "kew")
    id = put_plant(database, left)
    before = [work_row(database, "garden", each).requested for each in (left, arrived)]
    database.write(lambda tx: PLANTS.update(tx, member_of(1), id, UpdatePlant(garden_id=arrived)))
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
            threading.Thread(target=attempt, args=("delete", lambda id=id: delete_garden(on_postgres, id))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
