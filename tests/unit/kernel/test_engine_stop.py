import threading
import time
from dataclasses import replace
from datetime import timedelta

from engine_world import Stop
from kernel_garden import (
    CATALOGUE,
    NEVER_POLLS,
    SETTINGS,
    Gardener,
    eventually,
    garden,
    plant_garden,
    running,
    work_row,
)

from stratal.kernel.database import Database
from stratal.kernel.engine import Engine


def test_a_stop_lets_the_looks_that_run_finish(database: Database) -> None:
    stop = Stop()
    with running(database, Gardener(stop)) as engine:
        id = plant_garden(database, size=4)
        assert stop.reached.wait(5)
        threading.Timer(0.2, stop.go).start()
        assert engine.stop(timedelta(seconds=10))
    assert garden(database, id).status.size == 4


def test_a_stop_starts_no_look_that_was_only_claimed_and_gives_its_lease_back(database: Database) -> None:
    stop = Stop()
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
    stop = Stop()
    with running(on_sqlite, Gardener(stop)) as engine:
        plant_garden(on_sqlite)
        assert stop.reached.wait(5)
        finished = engine.stop(timedelta(seconds=0.1))
        stop.go()
    assert not finished


def test_an_engine_that_was_never_started_can_be_stopped(on_sqlite: Database) -> None:
    engine = Engine(on_sqlite, CATALOGUE, [Gardener()], owner="here", settings=SETTINGS)
    assert engine.stop(timedelta(seconds=1))
