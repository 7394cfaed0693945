import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from engine_world import Failing, Stop, at_rest, events
from kernel_garden import (
    CATALOGUE,
    GARDEN,
    GARDENS,
    NEVER_POLLS,
    PLANT,
    SETTINGS,
    Gardener,
    audits,
    eventually,
    garden,
    plant_garden,
    put_plant,
    resize,
    running,
    work_row,
)

from stratal.kernel import work
from stratal.kernel.access import SYSTEM
from stratal.kernel.database import Database
from stratal.kernel.engine import Engine
from stratal.kernel.errors import Unavailable
from stratal.kernel.kind import Catalogue
from stratal.kernel.reconcile import Look, Observed, RecordReconciler, StillRemoving
from stratal.kernel.state import State

# -- waking ----------------------------------------------------------------------------------------


def test_a_write_is_reconciled_well_before_the_next_poll(database: Database) -> None:
    with running(database, Gardener(), settings=NEVER_POLLS):
        for size in (1, 2, 3):
            id = plant_garden(database, f"g{size}", size)
            eventually(lambda id=id, size=size: garden(database, id).status.size == size)


def test_no_wake_up_is_lost_in_a_stream_of_writes(database: Database) -> None:
    with running(database, Gardener(), settings=NEVER_POLLS):
        id = plant_garden(database, size=0)
        for size in range(60):
            resize(database, id, size)
            time.sleep(0.001 * (size % 4))
        eventually(lambda: garden(database, id).status.size == 59)
        eventually(lambda: at_rest(database, id))


def test_what_was_asked_before_the_engine_started_is_done(database: Database) -> None:
    id = plant_garden(database)
    with running(database, Gardener(), settings=NEVER_POLLS):
        eventually(lambda: at_rest(database, id))


def test_an_idle_engine_leaves_the_database_alone(database: Database) -> None:
    with running(database, Gardener(), settings=NEVER_POLLS):
        id = plant_garden(database)
        eventually(lambda: at_rest(database, id))
        time.sleep(0.2)
        writes = _count_calls(database, "write")
        time.sleep(0.5)
        assert writes() == 0


def test_an_engine_whose_kind_is_full_waits_for_room_and_does_not_spin(database: Database) -> None:
    stop = Stop()
    with running(database, Gardener(stop, concurrency=1), settings=NEVER_POLLS):
        first, second = plant_garden(database, "eden"), plant_garden(database, "kew")
        assert stop.reached.wait(5)
        time.sleep(0.2)
        writes = _count_calls(database, "write")
        time.sleep(0.5)
        spun = writes()
        stop.go()
        eventually(lambda: at_rest(database, first) and at_rest(database, second))
    assert spun <= 1


def _count_calls(database: Database, name: str) -> Callable[[], int]:
    original = getattr(database, name)
    calls: list[object] = []

    def counted(work: Any) -> Any:
        calls.append(work)
        return original(work)

    setattr(database, name, counted)
    return lambda: len(calls)


def _meet(others: threading.Barrier) -> None:
    others.wait(30)
    time.sleep(0.01)


# -- looking ---------------------------------------------------------------------------------------


def test_a_resource_is_active_once_its_reconciler_has_settled(database: Database) -> None:
    with running(database, Gardener()):
        id = plant_garden(database, size=3)
        eventually(lambda: garden(database, id).state.state is State.ACTIVE)


def test_the_end_of_a_creation_is_an_event_and_happens_once(database: Database) -> None:
    with running(database, Gardener()):
        id = plant_garden(database)
        eventually(lambda: at_rest(database, id))
        resize(database, id, 7)
        eventually(lambda: garden(database, id).status.size == 7)
    assert events(database) == ["garden_created"]


def test_no_more_of_a_kind_are_reconciled_at_once_than_its_reconciler_says(database: Database) -> None:
    two = threading.Barrier(2)
    gardener = Gardener(lambda resource, look: _meet(two), concurrency=2)
    ids = [plant_garden(database, f"g{number}") for number in range(8)]
    with running(database, gardener):
        eventually(lambda: all(at_rest(database, id) for id in ids))
    assert gardener.most_at_once == 2


def test_a_kind_that_is_full_does_not_keep_another_one_waiting(database: Database) -> None:
    stop = Stop()
    ids = [plant_garden(database, f"g{number}") for number in range(30)]
    plant = put_plant(database, ids[0])
    with running(database, Gardener(stop, concurrency=1), RecordReconciler(PLANT)):
        eventually(lambda: work_row(database, "plant", plant).due_at is None)
        stop.go()


def test_rows_of_kinds_that_are_reconciled_elsewhere_are_left_alone(database: Database) -> None:
    put_plant(database, plant_garden(database))
    with running(database, RecordReconciler(PLANT)):
        eventually(lambda: _plants_rest(database))
    assert work_row(database, "garden", _only_garden(database)).fence == 0


def _plants_rest(database: Database) -> bool:
    statement = work.WORK.select().where(work.WORK.c.kind == "plant")
    return all(row.due_at is None for row in database.read(lambda tx: tx.execute(statement).fetchall()))


def _only_garden(database: Database) -> int:
    [found] = database.read(lambda tx: GARDENS.store.find(tx))
    return found.id


def test_a_look_that_took_only_a_step_is_followed_by_another_one(database: Database) -> None:
    class Stepwise(Gardener):
        def reconcile(self, resource: Any, look: Look) -> Any:
            observed = super().reconcile(resource, look)
            size = resource.status.size + 1
            status = msgspec.structs.replace(resource.status, size=size)
            return replace(observed, status=status, settled=size == resource.spec.size)

    gardener = Stepwise()
    with running(database, gardener, settings=NEVER_POLLS):
        id = plant_garden(database, size=3)
        eventually(lambda: garden(database, id).state.state is State.ACTIVE)
    assert len(gardener.looks) == 3


def test_a_removal_that_has_to_wait_is_looked_at_again(database: Database) -> None:
    class Slow(Gardener):
        def remove(self, resource: Any, look: Look) -> Any:
            gone = super().remove(resource, look)
            again = StillRemoving(status=resource.status, again_after=timedelta(milliseconds=20))
            return gone if len(self.looks) > 2 else again

    id = plant_garden(database)
    database.write(lambda tx: GARDENS.delete(tx, SYSTEM, id))
    gardener = Slow()
    with running(database, gardener, settings=NEVER_POLLS):
        eventually(lambda: garden(database, id) is None)
    assert len(gardener.looks) == 3


def test_nothing_is_left_to_do_for_what_is_gone(database: Database) -> None:
    id = plant_garden(database)
    database.write(lambda tx: GARDENS.delete(tx, SYSTEM, id))
    with running(database, Gardener()):
        eventually(lambda: garden(database, id) is None)
    assert work_row(database, "garden", id) is None


def test_a_field_that_cannot_follow_is_an_event_that_says_why_once(database: Database) -> None:
    class Stubborn(Gardener):
        def reconcile(self, resource: Any, look: Look) -> Any:
            super().reconcile(resource, look)
            return Observed(status=resource.status, irreconcilable={"size": "it is fenced in"})

    with running(database, Stubborn()):
        id = plant_garden(database, size=3)
        eventually(lambda: at_rest(database, id))
        resize(database, id, 4)
        eventually(lambda: at_rest(database, id))
    assert events(database).count("field_irreconcilable") == 1


def test_what_a_look_writes_is_not_undone_by_its_outcome(database: Database) -> None:
    class Writing(Gardener):
        def reconcile(self, resource: Any, look: Look) -> Any:
            look.write(lambda tx: GARDENS.store.mark(tx, resource.id, {"description": "tended"}))
            return super().reconcile(resource, look)

    with running(database, Writing()):
        id = plant_garden(database)
        eventually(lambda: at_rest(database, id))
    assert garden(database, id).spec.description == "tended"


# -- requests during looks -------------------------------------------------------------------------


def test_a_change_during_a_look_is_reconciled_after_it(database: Database) -> None:
    stop = Stop()
    with running(database, Gardener(stop), settings=NEVER_POLLS):
        id = plant_garden(database, size=1)
        assert stop.reached.wait(5)
        resize(database, id, 2)
        stop.go()
        eventually(lambda: garden(database, id).status.size == 2)


def test_audits_succeed_once_nothing_newer_is_asked(database: Database) -> None:
    stop = Stop()
    with running(database, Gardener(stop), settings=NEVER_POLLS):
        id = plant_garden(database)
        assert stop.reached.wait(5)
        resize(database, id, 2)
        seen: list[Any] = []
        original = database.write

        def watching(job: Any) -> Any:
            result = original(job)
            seen.append((garden(database, id).status.size, audits(database)))
            return result

        database.write = watching  # pyright: ignore[reportAttributeAccessIssue]
        stop.go()
        eventually(lambda: garden(database, id).status.size == 2)
        eventually(lambda: at_rest(database, id))
    after_first_look = [statuses for size, statuses in seen if size == 1]
    assert after_first_look
    assert all(statuses == [("create", "running"), ("update", "running")] for statuses in after_first_look)
    assert audits(database) == [("create", "succeeded"), ("update", "succeeded")]


def test_a_deletion_during_a_look_removes_what_the_look_made(database: Database) -> None:
    stop = Stop()
    with running(database, Gardener(stop), settings=NEVER_POLLS):
        id = plant_garden(database)
        assert stop.reached.wait(5)
        database.write(lambda tx: GARDENS.delete(tx, SYSTEM, id))
        stop.go()
        eventually(lambda: garden(database, id) is None)
    assert audits(database) == [("create", "succeeded"), ("delete", "succeeded")]


# -- everything else -------------------------------------------------------------------------------


def test_a_reconciler_of_an_unknown_kind_is_refused(on_sqlite: Database) -> None:
    with pytest.raises(ValueError, match="garden"):
        Engine(on_sqlite, Catalogue([]), [Gardener()], owner="here", settings=SETTINGS)


def test_every_look_is_reported_with_its_outcome(on_sqlite: Database) -> None:
    class Noting:
        def __init__(self) -> None:
            self.outcomes: list[tuple[str, str]] = []

        def observe_reconcile(self, *, kind: str, outcome: str, seconds: float) -> None:
            self.outcomes.append((kind, outcome))

    noting = Noting()
    gardener = Failing(1, Unavailable(reason="rain"))
    engine = Engine(on_sqlite, CATALOGUE, [gardener], owner="here", settings=SETTINGS, observer=noting)
    on_sqlite.on_work = engine.wake
    engine.start()
    plant_garden(on_sqlite)
    eventually(lambda: len(noting.outcomes) == 2)
    engine.stop(timedelta(seconds=5))
    assert noting.outcomes == [(GARDEN.name, "failed"), (GARDEN.name, "settled")]
