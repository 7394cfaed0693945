"""Deriving tables from the declaration of a kind. Called by `kind` when a kind is declared.

`<kind>_spec` and `<kind>_status` share one id. Beside the fields of the struct, a spec row has a `uuid`
(the id on the faces that use UUIDs) and the kind's private columns; a status row has `irreconcilable`, the
names of the fields that cannot follow the spec now.
"""

import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

from stratal.kernel.columns import NullTimeColumn, StringSliceColumn, column_type

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_BIG_ID = BigInteger().with_variant(Integer(), "sqlite")  # only INTEGER gets SQLite's rowid


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The two tables of a kind."""

    spec: Table
    status: Table


def derive_tables(
    *,
    name: str,
    spec: type[msgspec.Struct],
    status: type[msgspec.Struct],
    private: type[msgspec.Struct] | None,
    references: Sequence[str],
    unique: Iterable[tuple[str, ...]],
    indexes: Iterable[tuple[str, ...]],
    metadata: MetaData,
) -> Tables:
    """The spec and the status table of one kind, with its indexes, added to `metadata`."""
    columns = [_id_column(), Column("uuid", Text, nullable=False, unique=True)]
    columns += _columns_of(spec)
    if private is not None:
        columns += _columns_of(private)
    # AUTOINCREMENT: an id is never used twice, whatever was deleted
    spec_table = Table(f"{name}_spec", metadata, *columns, sqlite_autoincrement=True)
    status_table = Table(
        f"{name}_status",
        metadata,
        Column("id", _BIG_ID, ForeignKey(spec_table.c.id), primary_key=True, autoincrement=False),
        *_columns_of(status),
        Column("irreconcilable", StringSliceColumn(), nullable=False),
    )
    lists = [("name",), ("created_at",)]
    owners = [*references, *(["project_id"] if "project_id" in spec_table.c else [])]
    for owner in owners:
        lists += [(owner, "created_at"), (owner, "name")]
    for names in dict.fromkeys([*lists, *indexes]):
        _index(spec_table, names, live="deleted_at", unique=False)
    for names in unique:
        _index(spec_table, names, live="deletion_begin", unique=True)
    return Tables(spec=spec_table, status=status_table)


def derive_record_table(
    *, name: str, record: type[msgspec.Struct], indexes: Iterable[tuple[str, ...]], metadata: MetaData
) -> Table:
    """The table of a kind of plain records."""
    table = Table(name, metadata, _id_column(), *_columns_of(record), sqlite_autoincrement=True)
    for names in indexes:
        Index(None, *(table.c[column] for column in names))
    return table


def _id_column() -> Column[Any]:
    return Column("id", _BIG_ID, primary_key=True, autoincrement=True)


def _columns_of(struct: type[msgspec.Struct]) -> list[Column[Any]]:
    hints = typing.get_type_hints(struct, include_extras=True)
    columns: list[Column[Any]] = []
    for field in struct.__struct_fields__:
        if field == "id":
            continue
        type_, nullable = column_type(hints[field])
        columns.append(Column(field, type_, nullable=nullable or isinstance(type_, NullTimeColumn)))
    return columns


def _index(table: Table, names: tuple[str, ...], *, live: str, unique: bool) -> None:
    """A partial index over the rows whose `live` time is not set: tombstones cost nothing."""
    where = table.c[live].is_(None)
    prefix = "uq" if unique else "ix"
    Index(
        f"{prefix}_{table.name}_{'_'.join(names)}",
        *(table.c[name] for name in names),
        unique=unique,
        sqlite_where=where,
        postgresql_where=where,
    )
