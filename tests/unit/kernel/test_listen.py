import threading
import time

import pytest
from kernel_garden import NEVER_POLLS, Gardener, create_tables, eventually, opened, plant_garden, running

import postgres
from stratal.kernel.database import Database
from stratal.kernel.listen import Listener


def test_a_write_of_one_process_is_reconciled_by_the_engine_of_another_well_before_its_next_poll(
    on_postgres: Database, garden_url: str
) -> None:
    gardener = Gardener()
    with opened(garden_url) as elsewhere, running(elsewhere, gardener, settings=NEVER_POLLS) as engine:
        listener = Listener(elsewhere.url, engine.wake)
        try:
            for name in ("first", "second"):
                id = plant_garden(on_postgres, name)
                eventually(lambda id=id: id in gardener.looks)
        finally:
            listener.close()


def test_closing_ends_the_thread_at_once(postgres_url: str) -> None:
    with opened(postgres_url) as database:
        listener = Listener(database.url, lambda: None)
        started = time.monotonic()
        listener.close()
    assert time.monotonic() - started < 1
    assert not [thread for thread in threading.enumerate() if thread.name == "db-listen"]


def test_closing_while_the_server_is_away_ends_the_thread_at_once() -> None:
    with opened("postgresql+psycopg://nobody@127.0.0.1:1/nothing") as database:
        listener = Listener(database.url, lambda: None)
        time.sleep(0.3)
        started = time.monotonic()
        listener.close()
    assert time.monotonic() - started < 1


@pytest.mark.usefixtures("postgres_server")  # where PostgreSQL is not installed, this is skipped too
def test_after_a_restart_of_the_server_it_listens_again() -> None:
    woken = threading.Event()
    with postgres.running() as server, server.database() as url, opened(url) as database:
        create_tables(database)
        listener = Listener(database.url, woken.set)
        try:
            assert woken.wait(30)
            woken.clear()
            server.stop()
            time.sleep(0.3)
            server.start()
            assert woken.wait(30)  # it listens again, and something may have been missed
            woken.clear()
            plant_garden(database)
            assert woken.wait(30)
        finally:
            listener.close()


def test_what_was_written_right_before_the_end_is_still_told(garden_url: str) -> None:
    woken = threading.Event()
    with opened(garden_url) as elsewhere:
        listener = Listener(elsewhere.url, woken.set)
        try:
            assert woken.wait(30)
            woken.clear()
            with opened(garden_url) as writer:
                plant_garden(writer)
            assert woken.wait(30)
        finally:
            listener.close()
