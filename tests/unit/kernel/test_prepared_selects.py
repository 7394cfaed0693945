"""A prepared SELECT finds what SQLAlchemy would find, on both databases."""

from typing import Any

import pytest
from kernel_garden import GARDENS, plant_garden
from sqlalchemy import bindparam, select

from stratal.kernel.database import Database
from stratal.kernel.prepared import Prepared
from stratal.kernel.transaction import Transaction

SPEC = GARDENS.kind.tables.spec
LIVE = (
    select(SPEC.c.id, SPEC.c.name, SPEC.c.created_at, SPEC.c.deleted_at, SPEC.c.size)
    .where(SPEC.c.deleted_at.is_(None), SPEC.c.created_at <= bindparam("now"), SPEC.c.size > 0)
    .order_by(SPEC.c.id)
)


def test_its_rows_are_those_of_the_statement(database: Database) -> None:
    for number in range(3):
        plant_garden(database, f"g{number}", size=number)
    prepared = Prepared(LIVE)

    def both(transaction: Transaction) -> tuple[list[Any], list[Any]]:
        parameters = {"now": transaction.now}
        rows = transaction.rows(prepared, parameters)
        return [tuple(row) for row in rows], [tuple(row) for row in transaction.execute(LIVE, parameters)]

    found, expected = database.read(both)
    assert found == expected
    assert [row[1] for row in found] == ["g1", "g2"]


def test_columns_have_their_names(database: Database) -> None:
    id = plant_garden(database, "eden", size=7)
    prepared = Prepared(LIVE)
    [row] = database.read(lambda tx: tx.rows(prepared, {"now": tx.now}))
    assert (row.id, row.name, row.size) == (id, "eden", 7)


def test_a_statement_that_depends_on_how_many_values_there_are_is_refused(on_sqlite: Database) -> None:
    prepared = Prepared(select(SPEC.c.id).where(SPEC.c.id.in_(bindparam("ids", expanding=True))))
    with pytest.raises(ValueError, match="depends"):
        on_sqlite.read(lambda tx: tx.rows(prepared, {"ids": [1, 2]}))
