"""The revisions lead to exactly the schema that the kinds declare, there and back, on both databases."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime import migration
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text

import stratal.server  # noqa: F401  it imports every kind, and so declares every table
from stratal.kernel.database import Database
from stratal.kernel.errors import Unavailable
from stratal.kernel.tables import METADATA
from stratal.migrations import check_current, config, upgrade

UPGRADE = "import sys, sqlalchemy, stratal.migrations as m; m.upgrade(sqlalchemy.create_engine(sys.argv[1]))"


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    database = Database(database_url)
    yield database.engine
    database.close()


def downgrade(engine: Engine) -> None:
    with engine.begin() as connection:
        command.downgrade(config(connection), "base")


def schema(engine: Engine) -> dict[str, set[tuple[Any, ...]]]:
    """Everything that there is in the database, as the database itself says it."""
    if engine.dialect.name == "sqlite":
        questions = {
            "columns": 'SELECT m.name, c.name, c.type, c."notnull", c.dflt_value, c.pk '
            "FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'",
            "indexes": "SELECT tbl_name, name, sql FROM sqlite_master "
            "WHERE type = 'index' AND sql IS NOT NULL",
            "unique": 'SELECT m.name, l.origin, l."unique", i.name '
            "FROM sqlite_master m, pragma_index_list(m.name) l, pragma_index_info(l.name) i "
            "WHERE m.type = 'table'",
            "foreign keys": 'SELECT m.name, f."table", f."from", f."to", f.on_delete '
            "FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
        }
    else:
        questions = {
            "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default, "
            "collation_name FROM information_schema.columns WHERE table_schema = 'public'",
            "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
            "FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
        }
    with engine.connect() as connection:
        found = {what: set(map(tuple, connection.execute(text(q)))) for what, q in questions.items()}
    return {
        what: {row for row in rows if not row[0].startswith(("alembic_", "sqlite_"))}
        for what, rows in found.items()
    }


def test_the_revisions_make_the_schema_that_is_declared(engine: Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    migrated = schema(engine)
    downgrade(engine)
    METADATA.create_all(engine)
    declared = schema(engine)
    # more than Alembic compares: conditions of partial indexes, collations, defaults
    for what in declared:
        assert migrated[what] == declared[what], what
    assert declared["columns"]
    assert declared["indexes"]


def test_going_back_leaves_nothing_and_going_forth_again_works(engine: Engine) -> None:
    upgrade(engine)
    first = schema(engine)
    downgrade(engine)
    assert not any(schema(engine).values())
    upgrade(engine)
    assert schema(engine) == first


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(engine: Engine) -> None:
    upgrade(engine)
    row = "('k', '1', '2026-01-01T00:00:00.000000Z')"
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO setting (key, value, updated_at) VALUES {row}"))
    upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM setting")).scalar_one() == 1


def test_an_upgrade_that_fails_leaves_nothing_half_done(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the power is gone")

    monkeypatch.setattr(migration.HeadMaintainer, "update_to_step", fail)
    with pytest.raises(RuntimeError, match="the power is gone"):
        upgrade(engine)
    monkeypatch.undo()
    assert not any(schema(engine).values())
    upgrade(engine)


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(config()).get_heads()) == 1


def test_many_processes_upgrade_one_postgresql_at_once(postgres_url: str) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, postgres_url], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        for _ in range(3)
    ]
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    engine = create_engine(postgres_url)
    check_current(engine)
    engine.dispose()


def test_a_database_without_tables_or_of_another_release_is_not_current(engine: Engine) -> None:
    with pytest.raises(Unavailable, match="start the server once"):
        check_current(engine)
    upgrade(engine)
    check_current(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="start the server once"):
        check_current(engine)
    with pytest.raises(Unavailable, match="another release of Stratal"):
        upgrade(engine)


def test_a_database_that_is_away_is_an_error_with_a_message() -> None:
    engine = create_engine("postgresql+psycopg://stratal@127.0.0.1:1/stratal")
    for use in (upgrade, check_current):
        with pytest.raises(Unavailable, match="the database does not work"):
            use(engine)
    engine.dispose()
