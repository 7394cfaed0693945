"""The databases that the benchmarks run on, and the rows that they are filled with by SQL."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, text
from tests import postgres

from stratal.kernel import work
from stratal.kernel.database import Database

NAMES = ("sqlite", "postgresql")


@contextmanager
def database_url(name: str, directory: Path) -> Generator[str]:
    """A new empty database, durable as it is shipped."""
    if name == "sqlite":
        directory.mkdir(parents=True, exist_ok=True)
        yield f"sqlite:///{directory}/bench.db"
        return
    with postgres.running() as server, server.database() as url:
        yield url


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """Rooms with consecutive ids, spread over data centres with consecutive ids."""

    first: int
    count: int
    first_data_center: int
    data_centers: int


def fill(url: str, *, data_centers: int, rooms: int) -> Rooms:
    """Add active data centres and rooms, as many requests would have left them."""
    engine = create_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        first_data_center = _add(connection, "data_center", data_centers, "'dc-' || i", {})
        first_room = _add(
            connection,
            "room",
            rooms,
            # numbered by a permutation, so that neither name nor time follows the order of the ids
            f"'room-' || substr(cast(10000000 + ({_SHUFFLED}) as text), 2)",
            {"data_center_id": f"{first_data_center} + i % {data_centers}"},
        )
        # as autovacuum and `PRAGMA optimize` do it in time
        connection.execute(text("ANALYZE"))
        if engine.dialect.name == "postgresql":
            connection.execute(text("VACUUM"))
    engine.dispose()
    return Rooms(
        first=first_room, count=rooms, first_data_center=first_data_center, data_centers=data_centers
    )


@contextmanager
def observer(url: str) -> Iterator["Observer"]:
    """A second pair of eyes on the database of a running server."""
    database = Database(url)
    try:
        yield Observer(database)
    finally:
        database.close()


class Observer:
    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self) -> int:
        """How many resources wait for a look, or are being looked at."""
        counts = self._database.read(work.count)
        return counts.due + counts.leased

    def looks(self) -> int:
        """How many times a resource was claimed for a look, ever."""
        with self._database.engine.connect() as connection:
            looks = connection.execute(text("SELECT coalesce(sum(fence), 0) FROM work")).scalar_one()
            return int(looks)


_SHUFFLED = "(i * 7368787) % 9999991"
_START = "2024-01-01 00:00:00"
_NOW = {
    "sqlite": f"strftime('%Y-%m-%dT%H:%M:%f000Z', '{_START}', '+' || ({_SHUFFLED}) || ' seconds')",
    "postgresql": f"timestamptz '{_START}+00' + ({_SHUFFLED}) * interval '1 second'",
}


def _add(connection: Connection, kind: str, count: int, name: str, columns: dict[str, str]) -> int:
    """Insert `count` rows of a kind, whose columns are SQL over `i`. Returns the first id."""
    first = connection.execute(text(f"SELECT coalesce(max(id), 0) + 1 FROM {kind}_spec")).scalar_one()
    now = _NOW[connection.dialect.name]
    spec = {
        "id": f"{first} + i",
        "uuid": f"'{kind}-' || i",
        "etag": "'0000000000000000'",
        "name": name,
        "description": "'a description of some thirty signs'",
        **dict.fromkeys(("created_at", "updated_at", "creation_finish"), now),
        **columns,
    }
    status = {
        "id": spec["id"],
        "etag": spec["etag"],
        "created_at": now,
        "updated_at": now,
        **dict.fromkeys(("child_num", "node_num"), "0"),
        "irreconcilable": "''",
    }
    for table, values in ((f"{kind}_spec", spec), (f"{kind}_status", status)):
        connection.execute(
            text(
                f"INSERT INTO {table} ({', '.join(values)}) "
                "WITH RECURSIVE numbers(i) AS (SELECT CAST(0 AS bigint) UNION ALL "
                f"SELECT i + 1 FROM numbers WHERE i + 1 < {count}) "
                f"SELECT {', '.join(values.values())} FROM numbers"
            )
        )
    if connection.dialect.name == "postgresql":
        sequence = f"pg_get_serial_sequence('{kind}_spec', 'id')"
        connection.execute(text(f"SELECT setval({sequence}, {first + count})"))
    return first
