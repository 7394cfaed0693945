import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from engine_world import Stop, at_rest
from kernel_garden import (
    NEVER_POLLS,
    SETTINGS,
    Gardener,
    eventually,
    garden,
    opened,
    plant_garden,
    running,
)
from structlog.testing import capture_logs

from stratal.kernel import work
from stratal.kernel.database import Database
from stratal.kernel.reconcile import Look
from stratal.kernel.work import LeaseLost

SHORT_LEASE = replace(SETTINGS, lease=timedelta(seconds=0.6), poll=timedelta(seconds=0.1))


def test_a_look_that_takes_longer_than_its_lease_keeps_it(on_postgres: Database, garden_url: str) -> None:
    stop = Stop()
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
            eventually(lambda: at_rest(on_postgres, id))
    assert other.looks == []


def test_a_look_that_runs_while_the_engine_stops_keeps_its_lease(
    on_postgres: Database, garden_url: str
) -> None:
    stop = Stop()
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
            eventually(lambda: at_rest(on_postgres, id))
    assert other.looks == []


def test_a_resource_whose_lease_was_lost_is_not_looked_at_twice_at_once_by_one_engine(
    on_postgres: Database,
) -> None:
    stop = Stop()
    gardener = Gardener(stop)
    with running(on_postgres, gardener, settings=SHORT_LEASE):
        id = plant_garden(on_postgres)
        assert stop.reached.wait(5)
        on_postgres.write(lambda tx: tx.execute(work.WORK.update().values(owner=None, lease_until=None)))
        time.sleep(0.5)
        most = gardener.most_at_once
        stop.go()
        eventually(lambda: at_rest(on_postgres, id))
    assert most == 1


def test_what_a_look_saw_is_not_written_once_its_lease_has_moved_on(database: Database) -> None:
    stop = Stop()
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
        eventually(lambda: at_rest(on_sqlite, id))
