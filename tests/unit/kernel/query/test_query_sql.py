"""The SQL that filters and sorting become: bound, portable, and able to use an index."""

import sqlite3
from contextlib import closing

import pytest
from query_world import FIELDS, Volume, database, volumes
from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite

from stratal.kernel.query import compile_filter, parse_filter, parse_sort, register_sqlite_functions

POSTGRESQL = postgresql.psycopg.dialect()


def statement(q: str, sort: str = "") -> Select[int]:
    order = parse_sort(sort, FIELDS, tie_break=volumes.c.id)
    return select(volumes.c.id).where(compile_filter(parse_filter(q), FIELDS)).order_by(*order)


def plan(q: str, sort: str = "") -> str:
    """How SQLite goes about it, parameters bound."""
    with database(Volume(id=1, name="a")) as engine, engine.connect() as connection:
        compiled = statement(q, sort).compile(engine, compile_kwargs={"render_postcompile": True})
        parameters = tuple(compiled.params[name] for name in compiled.positiontup or ())
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", parameters)
        return "\n".join(row.detail for row in rows)


EVERY_FORM = (
    'spec.name:(a "b c" d* null) AND NOT spec.name:~"a\\d+" AND spec.size_mb:[1 TO 2} AND NOT spec.ratio:>1 '
    "AND spec.shared:true AND spec.created_at:<=2026-01-01 AND NOT spec.tags:(a b*) "
    "AND NOT metadata.labels:(x null)"
)


def test_every_form_of_filter_compiles_for_postgresql() -> None:
    compiled = statement(EVERY_FORM, "spec.name:desc").compile(dialect=POSTGRESQL)
    sql = str(compiled)
    assert "volumes.name LIKE %(" in sql
    assert "volumes.name ~ %(" in sql
    assert "GLOB" not in sql
    assert "stratal_regexp" not in sql
    assert "^(?:a[0-9]+)$" in compiled.params.values()
    assert "d%" in compiled.params.values()


def test_every_form_of_filter_compiles_for_sqlite_and_for_reading() -> None:
    assert "stratal_regexp(" in str(statement(EVERY_FORM).compile(dialect=sqlite.dialect()))
    assert "stratal_regexp(" in str(statement(EVERY_FORM))


def test_integers_are_bound_with_64_bits_even_against_a_smaller_column() -> None:
    assert "::BIGINT" in str(statement("spec.id:99999999999").compile(dialect=POSTGRESQL))


def test_like_and_glob_take_a_value_literally() -> None:
    parameters = statement(r"spec.name:a%_\[?*").compile(dialect=POSTGRESQL).params
    assert r"a\%\_\\[?%" in parameters.values()
    parameters = statement(r"spec.name:a%_\[?*").compile(dialect=sqlite.dialect()).params
    assert r"a%_\[[][?]*" in parameters.values()


@pytest.mark.parametrize("dialect", [POSTGRESQL, sqlite.dialect()], ids=lambda dialect: dialect.name)
def test_no_value_is_ever_part_of_the_statement(dialect: postgresql.dialect) -> None:
    hostile = "x'; DROP TABLE volumes; --"
    for q in (
        f'spec.name:"{hostile}"',
        f'spec.name:~"{hostile}"',
        f'spec.tags:"{hostile}"',
        f'spec.name:>"{hostile}"',
    ):
        assert "DROP" not in str(statement(q).compile(dialect=dialect))


@pytest.mark.parametrize(
    ("q", "index"),
    [
        ("spec.id:1", "INTEGER PRIMARY KEY (rowid=?)"),
        ("spec.name:a", "INDEX volumes_name (name=?)"),
        ("spec.name:(a b)", "INDEX volumes_name (name=?)"),
        ("spec.name:null", "INDEX volumes_name (name=?)"),
        ("spec.name:a*", "INDEX volumes_name (name>? AND name<?)"),
        ("spec.size_mb:[1 TO 5]", "INDEX volumes_size (size_mb>? AND size_mb<?)"),
        ("spec.name:a AND NOT spec.size_mb:1", "INDEX volumes_name (name=?)"),
    ],
)
def test_a_filter_on_an_indexed_column_uses_the_index(q: str, index: str) -> None:
    assert index in plan(q)


@pytest.mark.parametrize("sort", ["spec.name:asc", "spec.name:desc"])
def test_sorting_by_an_indexed_column_uses_the_index(sort: str) -> None:
    assert "USING COVERING INDEX volumes_name" in plan("", sort)
    assert "TEMP B-TREE" not in plan("", sort)


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("spec.name:asc", "volumes.name ASC NULLS FIRST, volumes.id ASC"),
        ("spec.name:desc", "volumes.name DESC NULLS LAST, volumes.id DESC"),
        ("spec.id:desc", "volumes.id DESC"),
    ],
)
def test_postgresql_is_told_where_missing_values_go(sort: str, order: str) -> None:
    sql = str(statement("", sort).compile(dialect=POSTGRESQL))
    assert sql.partition("ORDER BY ")[2] == order


def test_a_connection_takes_the_function_twice_and_answers_null_for_null() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        register_sqlite_functions(connection)
        register_sqlite_functions(connection)
        statement = "SELECT stratal_regexp('^(?:a.)$', value) FROM json_each('[\"ab\", \"abc\", null]')"
        assert [answer for (answer,) in connection.execute(statement)] == [1, 0, None]
