import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
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
    opened,
    plant_garden,
    put_plant,
    resize,
    running,
    work_row,
)
from structlog.testing import capture_logs

from stratal.kernel import work
from stratal.kernel.access import SYSTEM
from stratal.kernel.database import Database
from stratal.kernel.engine import Engine, EngineSettings
from stratal.kernel.errors import Unavailable
from stratal.kernel.journal import EVENT
from stratal.kernel.kind import Catalogue
from stratal.kernel.reconcile import Look, Observed, RecordReconciler, StillRemoving
from stratal.kernel.state import State
from stratal.kernel.work import LeaseLost


def _at_rest(database: Database, id: int) -> bool:
    row = work_row(database, "garden", id)
    return row is None or (row.due_at is None and row.owner is None)


def _events(database: Database) -> list[str]:
    return [row.event for row in database.read(lambda tx: tx.execute(EVENT.table.select()).fetchall())]


class _Stop:
    """Something that a look waits for."""

    def __init__(self) -> None:
        self.reached, self._go = threading.Event(), threading.Event()

    def __call__(self, resource: Any, look: Look) -> None:
        self.reached.set()
        assert self._go.wait(20)

    def go(self) -> None:
        self._go.set()


# -- waking ------------------------------------------------------------------------------------------


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
        eventually(lambda: _at_rest(database, id))


def test_what_was_asked_before_the_engine_started_is_done(database: Database) -> None:
    id = plant_garden(database)
    with running(database, Gardener(), settings=NEVER_POLLS):
        eventually(lambda: _at_rest(database, id))


def test_an_idle_engine_leaves_the_database_alone(database: Database) -> None:
    with running(database, Gardener(), settings=NEVER_POLLS):
        id = plant_garden(database)
        eventually(lambda: _at_rest(database, id))
        time.sleep(0.2)
        writes = _count_calls(database, "write")
        time.sleep(0.5)
        assert writes() == 0


def test_an_engine_whose_kind_is_full_waits_for_room_and_does_not_spin(database: Database) -> None:
    stop = _Stop()
    with running(database, Gardener(stop, concurrency=1), settings=NEVER_POLLS):
        first, second = plant_garden(database, "eden"), plant_garden(database, "kew")
        assert stop.reached.wait(5)
        time.sleep(0.2)
        writes = _count_calls(database, "write")
        time.sleep(0.5)
        spun = writes()
        stop.go()
        eventually(lambda: _at_rest(database, first) and _at_rest(database, second))
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


# -- looking -----------------------------------------------------------------------------------------


def test_a_resource_is_active_once_its_reconciler_has_settled(database: Database) -> None:
    with running(database, Gardener()):
        id = plant_garden(database, size=3)
        eventually(lambda: garden(database, id).state.state is State.ACTIVE)


def test_the_end_of_a_creation_is_an_event_and_happens_once(database: Database) -> None:
    with running(database, Gardener()):
        id = plant_garden(database)
        eventually(lambda: _at_rest(database, id))
        resize(database, id, 7)
        eventually(lambda: garden(database, id).status.size == 7)
    assert _events(database) == ["garden_created"]


def test_no_more_of_a_kind_are_reconciled_at_once_than_its_reconciler_says(database: Database) -> None:
    two = threading.Barrier(2)
    gardener = Gardener(lambda resource, look: _meet(two), concurrency=2)
    ids = [plant_garden(database, f"g{number}") for number in range(8)]
    with running(database, gardener):
        eventually(lambda: all(_at_rest(database, id) for id in ids))
    assert gardener.most_at_once == 2


def test_a_kind_that_is_full_does_not_keep_another_one_waiting(database: Database) -> None:
    stop = _Stop()
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
        eventually(lambda: _at_rest(database, id))
        resize(database, id, 4)
        eventually(lambda: _at_rest(database, id))
    assert _events(database).count("field_irreconcilable") == 1


def test_what_a_look_writes_is_not_undone_by_its_outcome(database: Database) -> None:
    class Writing(Gardener):
        def reconcile(self, resource: Any, look: Look) -> Any:
            look.write(lambda tx: GARDENS.store.mark(tx, resource.id, {"description": "tended"}))
            return super().reconcile(resource, look)

    with running(database, Writing()):
        id = plant_garden(database)
        eventually(lambda: _at_rest(database, id))
    assert garden(database, id).spec.description == "tended"


# -- requests during looks ---------------------------------------------------------------------------


def test_a_change_during_a_look_is_reconciled_after_it(database: Database) -> None:
    stop = _Stop()
    with running(database, Gardener(stop), settings=NEVER_POLLS):
        id = plant_garden(database, size=1)
        assert stop.reached.wait(5)
        resize(database, id, 2)
        stop.go()
        eventually(lambda: garden(database, id).status.size == 2)


def test_audits_succeed_once_nothing_newer_is_asked(database: Database) -> None:
    stop = _Stop()
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
        eventually(lambda: _at_rest(database, id))
    after_first_look = [statuses for size, statuses in seen if size == 1]
    assert after_first_look
    assert all(statuses == [("create", "running"), ("update", "running")] for statuses in after_first_look)
    assert audits(database) == [("create", "succeeded"), ("update", "succeeded")]


def test_a_deletion_during_a_look_removes_what_the_look_made(database: Database) -> None:
    stop = _Stop()
    with running(database, Gardener(stop), settings=NEVER_POLLS):
        id = plant_garden(database)
        assert stop.reached.wait(5)
        database.write(lambda tx: GARDENS.delete(tx, SYSTEM, id))
        stop.go()
        eventually(lambda: garden(database, id) is None)
    assert audits(database) == [("create", "succeeded"), ("delete", "succeeded")]


# -- failing -----------------------------------------------------------------------------------------


class _Failing(Gardener):
    def __init__(self, times: int, error: Exception) -> None:
        super().__init__(self._fail)
        self.times, self.error = times, error
        self.at: list[float] = []

    def _fail(self, resource: Any, look: Look) -> None:
        self.at.append(time.monotonic())
        if len(self.at) <= self.times:
            raise self.error


def test_a_look_that_fails_is_repeated_until_it_does_not(database: Database) -> None:
    with running(database, _Failing(3, Unavailable(reason="rain"))):
        id = plant_garden(database)
        eventually(lambda: garden(database, id).state.state is State.ACTIVE)


def test_the_pauses_between_failing_looks_grow(on_sqlite: Database) -> None:
    settings = replace(
        SETTINGS, backoff_base=timedelta(milliseconds=40), backoff_cap=timedelta(milliseconds=160)
    )
    gardener = _Failing(4, Unavailable(reason="rain"))
    with running(on_sqlite, gardener, settings=settings):
        plant_garden(on_sqlite)
        eventually(lambda: len(gardener.at) == 5)
    pauses = [after - before for before, after in zip(gardener.at, gardener.at[1:], strict=False)]
    assert all(pause >= least for pause, least in zip(pauses, [0.02, 0.04, 0.08, 0.08], strict=True))


@pytest.mark.parametrize(
    ("attempts", "full"), [(0, 0.5), (1, 1.0), (2, 2.0), (6, 32.0), (7, 60.0), (10**6, 60.0)]
)
def test_a_pause_is_anything_between_half_and_all_of_what_doubles_up_to_the_cap(
    on_sqlite: Database, attempts: int, full: float
) -> None:
    engine = Engine(on_sqlite, CATALOGUE, [Gardener()], owner="here", settings=EngineSettings())
    pauses = [engine._backoff(attempts).total_seconds() for _ in range(200)]
    assert full / 2 <= min(pauses) < 0.6 * full
    assert 0.9 * full < max(pauses) <= full


def test_a_failure_that_repeats_is_one_event(database: Database) -> None:
    gardener = _Failing(4, Unavailable(reason="rain"))
    with running(database, gardener):
        id = plant_garden(database)
        eventually(lambda: _at_rest(database, id))
    assert _events(database).count("reconcile_failed") == 1


def test_what_was_asked_stays_running_in_the_audit_log_while_looks_fail(database: Database) -> None:
    gardener = _Failing(10**6, Unavailable(reason="rain"))
    with running(database, gardener):
        plant_garden(database)
        eventually(lambda: len(gardener.at) >= 3)
    assert audits(database) == [("create", "running")]


@pytest.mark.parametrize("text", ["a NUL \0 in it", "half a pair \ud800", "long " * 2000])
def test_a_failure_is_recorded_whatever_its_message_holds(database: Database, text: str) -> None:
    gardener = _Failing(1, ValueError(text))
    with running(database, gardener):
        id = plant_garden(database)
        eventually(lambda: _at_rest(database, id))


def test_a_change_ends_the_back_off(on_sqlite: Database) -> None:
    settings = replace(SETTINGS, backoff_base=timedelta(minutes=1), backoff_cap=timedelta(minutes=1))
    gardener = _Failing(1, Unavailable(reason="rain"))
    with running(on_sqlite, gardener, settings=settings):
        id = plant_garden(on_sqlite)
        eventually(lambda: work_row(on_sqlite, "garden", id).attempts == 1)
        resize(on_sqlite, id, 2)
        eventually(lambda: garden(on_sqlite, id).status.size == 2)


# -- leases ------------------------------------------------------------------------------------------

SHORT_LEASE = replace(SETTINGS, lease=timedelta(seconds=0.6), poll=timedelta(seconds=0.1))


def test_a_look_that_takes_longer_than_its_lease_keeps_it(on_postgres: Database, garden_url: str) -> None:
    stop = _Stop()
    other = Gardener()
    with (
        opened(garden_url) as elsewhere,
        running(on_postgres, Gardener(stop), settings=SHORT_LEASE),
    ):
        id = plant_garden(on_postgres)
        assert stop.reached.wait(5)
        with running(elsewhere, other, owner="there", settings=SHORT_LEASE):
            time.sleep(1.8)
            stop.go()
            eventually(lambda: _at_rest(on_postgres, id))
    assert other.looks == []


def test_a_look_that_runs_while_the_engine_stops_keeps_its_lease(
    on_postgres: Database, garden_url: str
) -> None:
    stop = _Stop()
    other = Gardener()
    with (
        opened(garden_url) as elsewhere,
        running(on_postgres, Gardener(stop), settings=SHORT_LEASE) as engine,
    ):
        id = plant_garden(on_postgres)
        assert stop.reached.wait(5)
        stopping = threading.Thread(target=engine.stop, args=(timedelta(seconds=10),))
        stopping.start()
        with running(elsewhere, other, owner="there", settings=SHORT_LEASE):
            time.sleep(1.8)
            stop.go()
            stopping.join()
            eventually(lambda: _at_rest(on_postgres, id))
    assert other.looks == []


def test_a_resource_whose_lease_was_lost_is_not_looked_at_twice_at_once_by_one_engine(
    on_postgres: Database,
) -> None:
    stop = _Stop()
    gardener = Gardener(stop)
    with running(on_postgres, gardener, settings=SHORT_LEASE):
        id = plant_garden(on_postgres)
        assert stop.reached.wait(5)
        on_postgres.write(lambda tx: tx.execute(work.WORK.update().values(owner=None, lease_until=None)))
        time.sleep(0.5)
        most = gardener.most_at_once
        stop.go()
        eventually(lambda: _at_rest(on_postgres, id))
    assert most == 1


def test_what_a_look_saw_is_not_written_once_its_lease_has_moved_on(database: Database) -> None:
    stop = _Stop()
    with running(database, Gardener(stop), settings=replace(SETTINGS, poll=timedelta(seconds=30))):
        id = plant_garden(database, size=5)
        assert stop.reached.wait(5)
        far = timedelta(minutes=1)
        taken = work.WORK.update().values(owner="there", fence=99, lease_until=database.clock.now() + far)
        database.write(lambda tx: tx.execute(taken))
        with capture_logs() as logs:
            stop.go()
            eventually(lambda: any(line["event"] == "lease_lost" for line in logs))
    assert garden(database, id).status.size == 0


def test_a_look_finds_out_that_its_lease_has_moved_on_before_its_next_side_effect(
    on_postgres: Database,
) -> None:
    found: list[str] = []

    def stall(resource: Any, look: Look) -> None:
        if found:
            return
        look.check()
        on_postgres.write(lambda tx: tx.execute(work.WORK.update().values(owner="there", fence=99)))
        time.sleep(1)
        try:
            look.check()
            found.append("nothing")
        except LeaseLost:
            found.append("lost")
            raise

    with running(on_postgres, Gardener(stall), settings=SHORT_LEASE):
        plant_garden(on_postgres)
        eventually(lambda: found)
    assert found == ["lost"]


def test_leases_from_before_the_start_are_void_on_a_database_of_one_process(on_sqlite: Database) -> None:
    id = plant_garden(on_sqlite)
    hour = timedelta(hours=1)
    on_sqlite.write(lambda tx: work.claim(tx, owner="dead", lease=hour, most=9, room={"garden": 9}))
    with running(on_sqlite, Gardener(), settings=NEVER_POLLS):
        eventually(lambda: _at_rest(on_sqlite, id))


# -- stopping ----------------------------------------------------------------------------------------


def test_a_stop_lets_the_looks_that_run_finish(database: Database) -> None:
    stop = _Stop()
    with running(database, Gardener(stop)) as engine:
        id = plant_garden(database, size=4)
        assert stop.reached.wait(5)
        threading.Timer(0.2, stop.go).start()
        assert engine.stop(timedelta(seconds=10))
    assert garden(database, id).status.size == 4


def test_a_stop_starts_no_look_that_was_only_claimed_and_gives_its_lease_back(database: Database) -> None:
    stop = _Stop()
    gardener = Gardener(stop, concurrency=100)
    with running(database, gardener, settings=replace(SETTINGS, workers=1)) as engine:
        ids = [plant_garden(database, f"g{number}") for number in range(2)]
        assert stop.reached.wait(5)
        eventually(lambda: all(work_row(database, "garden", id).owner for id in ids))
        threading.Timer(0.2, stop.go).start()
        assert engine.stop(timedelta(seconds=10))
    assert len(gardener.looks) == 1
    assert all(work_row(database, "garden", id).owner is None for id in ids)


def test_a_stopped_engine_claims_nothing_more(database: Database) -> None:
    gardener = Gardener()
    with running(database, gardener) as engine:
        assert engine.stop(timedelta(seconds=5))
        id = plant_garden(database)
        engine.wake()
        time.sleep(0.1)
    assert (gardener.looks, work_row(database, "garden", id).fence) == ([], 0)


def test_an_idle_engine_stops_at_once(on_sqlite: Database) -> None:
    for _ in range(20):
        with running(on_sqlite, Gardener(), settings=NEVER_POLLS) as engine:
            started = time.monotonic()
            engine.stop(timedelta(seconds=5))
            assert time.monotonic() - started < 1


def test_a_stop_says_when_something_still_runs_at_the_deadline(on_sqlite: Database) -> None:
    stop = _Stop()
    with running(on_sqlite, Gardener(stop)) as engine:
        plant_garden(on_sqlite)
        assert stop.reached.wait(5)
        finished = engine.stop(timedelta(seconds=0.1))
        stop.go()
    assert not finished


def test_an_engine_that_was_never_started_can_be_stopped(on_sqlite: Database) -> None:
    engine = Engine(on_sqlite, CATALOGUE, [Gardener()], owner="here", settings=SETTINGS)
    assert engine.stop(timedelta(seconds=1))


# -- everything else ---------------------------------------------------------------------------------


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
    gardener = _Failing(1, Unavailable(reason="rain"))
    engine = Engine(on_sqlite, CATALOGUE, [gardener], owner="here", settings=SETTINGS, observer=noting)
    on_sqlite.on_work = engine.wake
    engine.start()
    plant_garden(on_sqlite)
    eventually(lambda: len(noting.outcomes) == 2)
    engine.stop(timedelta(seconds=5))
    assert noting.outcomes == [(GARDEN.name, "failed"), (GARDEN.name, "settled")]
