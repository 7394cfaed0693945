from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_garden import PLANT, Watering, plant_garden, put_plant
from sqlalchemy import select

from stratal.kernel.database import Database
from stratal.kernel.state import State, state_expression
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from thoroughness import examples

_MOMENTS = st.none() | st.just(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
_HEIGHTS = st.integers(-1, 1)
_TAGS = st.lists(st.sampled_from(["a", "b", "height"]), max_size=2)
_WATERINGS = st.none() | st.builds(Watering, every_days=st.integers(0, 1), litres=st.sampled_from([0.5, 1.0]))
_WEIGHTS = st.none() | st.permutations(["a", "b"]).map(lambda keys: {key: ord(key) for key in keys})
_STUCK = st.lists(st.sampled_from(["height", "heights", "tags", "watering", "x_height"]), unique=True)


@st.composite
def _rows(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    spec = {
        "creation_finish": draw(_MOMENTS),
        "deletion_begin": draw(st.none() | st.none() | _MOMENTS),
        "height": draw(_HEIGHTS),
        "tags": draw(_TAGS),
        "watering": draw(_WATERINGS),
        "weights": draw(_WEIGHTS),
    }
    observed = {
        "height": draw(st.just(spec["height"]) | st.none() | _HEIGHTS),
        "tags": draw(st.just(spec["tags"]) | _TAGS),
        "watering": draw(st.just(spec["watering"]) | _WATERINGS),
        "weights": draw(st.just(spec["weights"]) | _WEIGHTS),
        "irreconcilable": draw(_STUCK),
    }
    return spec, observed


@pytest.fixture
def plant(database: Database) -> int:
    return put_plant(database, plant_garden(database))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=examples(150)
)
@given(_rows())
def test_the_state_that_filters_see_is_the_state_that_is_shown(
    database: Database, plant: int, rows: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    spec, observed = rows

    def both(transaction: Transaction) -> tuple[str, str]:
        tables = PLANT.tables
        transaction.execute(tables.spec.update().values(**spec))
        transaction.execute(tables.status.update().values(**observed))
        joined = tables.spec.join(tables.status, tables.spec.c.id == tables.status.c.id)
        filtered = transaction.execute(select(state_expression(PLANT)).select_from(joined)).scalar_one()
        shown = Store(PLANT).get(transaction, plant)
        assert shown is not None
        return filtered, shown.state.state.value

    filtered, shown = database.read(both)  # a read: undone for the next example
    assert filtered == shown


def _with(database: Database, plant: int, spec: dict[str, Any], observed: dict[str, Any]) -> Any:
    def change(transaction: Transaction) -> Any:
        transaction.execute(PLANT.tables.spec.update().values(**spec))
        transaction.execute(PLANT.tables.status.update().values(**observed))
        shown = Store(PLANT).get(transaction, plant)
        assert shown is not None
        return shown.state

    return database.read(change)


_NOW = datetime(2026, 1, 2, tzinfo=UTC)
_SAME = {"height": 0, "tags": []}


def test_what_is_being_deleted_is_deleting_whatever_else_is_true(database: Database, plant: int) -> None:
    assert _with(database, plant, {"deletion_begin": _NOW}, _SAME).state is State.DELETING


def test_what_was_never_finished_is_creating(database: Database, plant: int) -> None:
    assert _with(database, plant, {"creation_finish": None}, _SAME).state is State.CREATING


def test_what_differs_from_its_spec_is_reconciling(database: Database, plant: int) -> None:
    state = _with(database, plant, {"creation_finish": _NOW}, {**_SAME, "height": 3})
    assert (state.state, state.diff_fields.reconciling) == (State.RECONCILING, ["height"])


def test_what_differs_only_in_what_cannot_follow_is_active(database: Database, plant: int) -> None:
    observed = {**_SAME, "height": 3, "irreconcilable": ["height"]}
    state = _with(database, plant, {"creation_finish": _NOW}, observed)
    assert (state.state, state.diff_fields.irreconcilable) == (State.ACTIVE, ["height"])


def test_what_agrees_with_its_spec_is_active(database: Database, plant: int) -> None:
    assert _with(database, plant, {"creation_finish": _NOW}, _SAME).state is State.ACTIVE
