"""A table with a field of every type, rows with and without values, and an independent reading of filters.

Shared by the tests of this folder. `holds` says in plain Python what a filter means; the compiled filter
has to select the same rows.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Engine,
    Float,
    Index,
    Integer,
    MetaData,
    StaticPool,
    Table,
    Text,
    create_engine,
    event,
    exists,
    select,
)

from stratal.kernel.query import (
    And,
    Bound,
    Exact,
    Expression,
    Matches,
    Not,
    Null,
    OneOf,
    Or,
    Prefix,
    QueryField,
    Term,
    ValueType,
    Within,
    compile_filter,
    parse_filter,
    register_sqlite_functions,
)

metadata = MetaData()
volumes = Table(
    "volumes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text),
    Column("size_mb", BigInteger),
    Column("ratio", Float),
    Column("shared", Boolean),
    Column("created_at", DateTime(timezone=True)),
    Column("tags", Text),
    Index("volumes_name", "name"),
    Index("volumes_size", "size_mb"),
)
labels = Table("labels", metadata, Column("volume_id", Integer), Column("key", Text))


def _labelled(predicate: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(labels.c.volume_id == volumes.c.id, predicate)


FIELDS = {
    "spec.id": QueryField(column=volumes.c.id, value_type=ValueType.INTEGER, nullable=False),
    "spec.name": QueryField(column=volumes.c.name, value_type=ValueType.TEXT),
    "spec.size_mb": QueryField(column=volumes.c.size_mb, value_type=ValueType.INTEGER),
    "spec.ratio": QueryField(column=volumes.c.ratio, value_type=ValueType.NUMBER),
    "spec.shared": QueryField(column=volumes.c.shared, value_type=ValueType.BOOLEAN),
    "spec.created_at": QueryField(column=volumes.c.created_at, value_type=ValueType.TIME),
    "spec.tags": QueryField(column=volumes.c.tags, value_type=ValueType.TEXT_LIST),
    "metadata.labels": QueryField(column=labels.c.key, value_type=ValueType.TEXT, exists=_labelled),
}

NAMES = [
    None,
    "",
    "a",
    "A",
    "ab",
    "a b",
    'say "a"',
    "null",
    "a%",
    "a_b",
    "a*",
    "a[b]",
    "a\\b",
    "é",
    "x\ny",
    "vm-17",
]
SIZES = [None, 0, 1, 5, 10, -3, 2**63 - 1]
RATIOS = [None, 0.0, 0.5, -1.25, 3.0]
SHARED = [None, True, False]
TIMES = [None, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 12, 30, 0, 250, tzinfo=UTC)]
TAGS = [None, "", "a", "a,b", "ab,b", "A,a%", "b c,a_b"]
LABELS: list[list[str | None]] = [[], ["a"], ["a", "b"], ["prod"], [None], [None, "b"], ["a%", "A"]]


@dataclass(frozen=True, kw_only=True)
class Volume:
    """One row, as the tests know it."""

    id: int
    name: str | None = None
    size_mb: int | None = None
    ratio: float | None = None
    shared: bool | None = None
    created_at: datetime | None = None
    tags: str | None = None
    labels: list[str | None] = field(default_factory=list[str | None])

    def values(self, name: str) -> list[object]:
        """What the field holds; empty when it has no value."""
        if name == "metadata.labels":
            held: list[object] = [label for label in self.labels if label is not None]
        elif name == "spec.tags":
            held = [] if self.tags is None else list(self.tags.split(","))
        else:
            held = [getattr(self, name.removeprefix("spec."))]
        return [value for value in held if value is not None]


def assorted_volumes(count: int = 240) -> list[Volume]:
    """Rows in which values and missing values meet in many ways."""
    return [
        Volume(
            id=number,
            name=NAMES[number % len(NAMES)],
            size_mb=SIZES[number % len(SIZES)],
            ratio=RATIOS[number % len(RATIOS)],
            shared=SHARED[number % len(SHARED)],
            created_at=TIMES[number // 5 % len(TIMES)],
            tags=TAGS[number // 2 % len(TAGS)],
            labels=LABELS[number // 3 % len(LABELS)],
        )
        for number in range(1, count + 1)
    ]


@contextmanager
def database(*rows: Volume, url: str = "sqlite://", cached_statements: int = 500) -> Iterator[Engine]:
    """An empty database, SQLite in memory if no other is named, filled with these rows."""
    engine = create_engine(url, poolclass=StaticPool, query_cache_size=cached_statements)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _: register_sqlite_functions(connection))
    metadata.create_all(engine)
    with engine.begin() as connection:
        for row in rows:
            columns = {column.name: getattr(row, column.name) for column in volumes.c}
            connection.execute(volumes.insert().values(columns))
            for label in row.labels:
                connection.execute(labels.insert().values(volume_id=row.id, key=label))
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def each_database(request: pytest.FixtureRequest, *rows: Volume) -> Iterator[Engine]:
    """The database that a fixture with the parameters `DATABASES` is asked for, filled with these rows."""
    if request.param == "sqlite":
        with database(*rows) as engine:
            yield engine
        return
    with request.getfixturevalue("postgres_server").database() as url, database(*rows, url=url) as engine:
        yield engine


DATABASES = ["sqlite", "postgres"]


def selected(engine: Engine, q: str | Expression) -> list[int]:
    """The ids of the rows that a filter selects, in order."""
    expression = parse_filter(q) if isinstance(q, str) else q
    statement = select(volumes.c.id).where(compile_filter(expression, FIELDS)).order_by(volumes.c.id)
    with engine.connect() as connection:
        return list(connection.scalars(statement))


def holds(expression: Expression, row: Volume) -> bool:
    """Whether the filter lets the row through, read straight from the tree."""
    match expression:
        case And():
            return all(holds(operand, row) for operand in expression.operands)
        case Or():
            return any(holds(operand, row) for operand in expression.operands)
        case Not():
            return not holds(expression.operand, row)
        case Term():
            return _term_holds(expression, row.values(expression.field))


def _term_holds(term: Term, held: list[object]) -> bool:
    match term.test:
        case OneOf(values=values):
            return any(_value_holds(value, term.field, held) for value in values)
        case Matches(pattern=pattern):
            return any(re.fullmatch(pattern, str(value), re.DOTALL | re.ASCII) for value in held)
        case Within(low=low, high=high):
            return any(_above(low, term.field, value) and _below(high, term.field, value) for value in held)


def _value_holds(value: Exact | Prefix | Null, name: str, held: list[object]) -> bool:
    match value:
        case Null():
            return not held
        case Prefix(text=""):
            return bool(held)
        case Prefix(text=text):
            return any(str(one).startswith(text) for one in held)
        case Exact(text=text):
            return typed(name, text) in held


def _above(low: Bound | None, name: str, value: object) -> bool:
    if low is None:
        return True
    bound = typed(name, low.text)
    return value > bound or (low.inclusive and value == bound)


def _below(high: Bound | None, name: str, value: object) -> bool:
    if high is None:
        return True
    bound = typed(name, high.text)
    return value < bound or (high.inclusive and value == bound)


def typed(name: str, text: str) -> object:
    """The text of a valid value as the field holds it."""
    match name:
        case "spec.id" | "spec.size_mb":
            return int(text)
        case "spec.ratio":
            return float(text)
        case "spec.shared":
            return text == "true"
        case "spec.created_at":
            return datetime.fromisoformat(text)
        case _:
            return text
