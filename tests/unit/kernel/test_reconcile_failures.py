from dataclasses import replace
from datetime import timedelta

import pytest
from engine_world import Failing, at_rest, events
from kernel_garden import (
    CATALOGUE,
    SETTINGS,
    Gardener,
    audits,
    eventually,
    garden,
    plant_garden,
    resize,
    running,
    work_row,
)

from stratal.kernel.database import Database
from stratal.kernel.engine import Engine, EngineSettings
from stratal.kernel.errors import Unavailable
from stratal.kernel.state import State


def test_a_look_that_fails_is_repeated_until_it_does_not(database: Database) -> None:
    with running(database, Failing(3, Unavailable(reason="rain"))):
        id = plant_garden(database)
        eventually(lambda: garden(database, id).state.state is State.ACTIVE)


def test_the_pauses_between_failing_looks_grow(on_sqlite: Database) -> None:
    settings = replace(
        SETTINGS, backoff_base=timedelta(milliseconds=40), backoff_cap=timedelta(milliseconds=160)
    )
    gardener = Failing(4, Unavailable(reason="rain"))
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
    gardener = Failing(4, Unavailable(reason="rain"))
    with running(database, gardener):
        id = plant_garden(database)
        eventually(lambda: at_rest(database, id))
    assert events(database).count("reconcile_failed") == 1


def test_what_was_asked_stays_running_in_the_audit_log_while_looks_fail(database: Database) -> None:
    gardener = Failing(10**6, Unavailable(reason="rain"))
    with running(database, gardener):
        plant_garden(database)
        eventually(lambda: len(gardener.at) >= 3)
    assert audits(database) == [("create", "running")]


@pytest.mark.parametrize("text", ["a NUL \0 in it", "half a pair \ud800", "long " * 2000])
def test_a_failure_is_recorded_whatever_its_message_holds(database: Database, text: str) -> None:
    gardener = Failing(1, ValueError(text))
    with running(database, gardener):
        id = plant_garden(database)
        eventually(lambda: at_rest(database, id))


def test_a_change_ends_the_back_off(on_sqlite: Database) -> None:
    settings = replace(SETTINGS, backoff_base=timedelta(minutes=1), backoff_cap=timedelta(minutes=1))
    gardener = Failing(1, Unavailable(reason="rain"))
    with running(on_sqlite, gardener, settings=settings):
        id = plant_garden(on_sqlite)
        eventually(lambda: work_row(on_sqlite, "garden", id).attempts == 1)
        resize(on_sqlite, id, 2)
        eventually(lambda: garden(on_sqlite, id).status.size == 2)
