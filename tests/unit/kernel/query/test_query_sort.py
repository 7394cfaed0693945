"""The order that is asked for is the order that comes, and a total one."""

from collections.abc import Iterator

import pytest
from query_world import DATABASES, FIELDS, Volume, each_database, volumes
from sqlalchemy import Engine, select

from stratal.kernel.errors import Invalid
from stratal.kernel.query import QueryField, ValueType, parse_sort


@pytest.fixture(scope="module", params=DATABASES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    rows = [
        Volume(id=1, name="b", size_mb=1),
        Volume(id=2, name="a", size_mb=1),
        Volume(id=3, size_mb=2),
        Volume(id=4, name="b"),
    ]
    with each_database(request, *rows) as engine:
        yield engine


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        (None, [1, 2, 3, 4]),
        ("", [1, 2, 3, 4]),
        ("spec.id:desc", [4, 3, 2, 1]),
        ("spec.name", [3, 2, 1, 4]),
        ("spec.name:asc", [3, 2, 1, 4]),
        ("spec.name:desc", [4, 1, 2, 3]),
        ("spec.size_mb:asc,spec.name:desc", [4, 1, 2, 3]),
        (" spec.size_mb : desc , spec.name ", [3, 2, 1, 4]),
    ],
)
def test_rows_come_in_the_order_asked_for_with_missing_values_lowest(
    engine: Engine, sort: str | None, ids: list[int]
) -> None:
    statement = select(volumes.c.id).order_by(*parse_sort(sort, FIELDS, tie_break=volumes.c.id))
    with engine.connect() as connection:
        assert list(connection.scalars(statement)) == ids


@pytest.mark.parametrize(
    ("sort", "reason"),
    [
        ("spec.nme", "key 1: there is no field 'spec.nme'; did you mean spec.name"),
        ("spec.name,spec.size_mb:down", "key 2: expected asc or desc, found 'down'"),
        ("spec.name:asc:desc", "expected asc or desc, found 'asc:desc'"),
        ("spec.name,,spec.id", "key 2: expected a field name"),
        ("spec.name,spec.name:desc", "key 2: 'spec.name' is there twice"),
        ("metadata.labels", "may have many values"),
        (",".join(["spec.name"] * 9), "more than 8 keys"),
        ("\ud800", "there is no field"),
    ],
)
def test_an_order_that_makes_no_sense_is_invalid(sort: str, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_sort(sort, FIELDS, tie_break=volumes.c.id)
    assert caught.value.fields["field"] == "sort"
    assert reason in caught.value.message
    caught.value.message.encode()


def test_eight_keys_are_not_too_many() -> None:
    fields = {f"k{n}": QueryField(column=volumes.c.name, value_type=ValueType.TEXT) for n in range(8)}
    assert len(parse_sort(",".join(fields), fields, tie_break=volumes.c.id)) == 9
