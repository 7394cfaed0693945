"""Column types, and the choice of one from the type of a struct's field. Called by `tables` only."""

import types
import typing
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from sqlalchemy import JSON, BigInteger, Boolean, Dialect, Double, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from stratal.kernel.fields import NullTime


class UtcTime(TypeDecorator[datetime]):
    """A moment. TIMESTAMPTZ on PostgreSQL; on SQLite ISO 8601 text of fixed width, so that it sorts."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        if value.tzinfo is not UTC:
            value = value.astimezone(UTC)
        # not strftime, which writes years before 1000 with fewer digits
        return value.isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


class NullTimeColumn(UtcTime):
    """A moment that may be null, read back in the shape of Go's NullTime."""

    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if isinstance(value, NullTime):
            value = value.time if value.valid else None
        return super().process_bind_param(value, dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return NullTime.of(super().process_result_value(value, dialect))


class StringSliceColumn(TypeDecorator[list[str]]):
    """A list of strings, stored as a,b,c. Items hold no comma; the empty list is the empty text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> str | None:
        return None if value is None else ",".join(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> list[str] | None:
        if value is None:
            return None
        return value.split(",") if value else []


class EnumColumn(TypeDecorator[StrEnum]):
    """One of the values of a StrEnum, stored as text."""

    impl = Text
    cache_ok = True

    def __init__(self, enum: type[StrEnum]) -> None:
        super().__init__()
        self.enum = enum

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        return None if value is None else self.enum(value)


class JsonColumn(TypeDecorator[Any]):
    """A struct, a map or a list, as JSON with sorted keys, so that equal values are equal texts."""

    impl = JSON
    cache_ok = True

    def __init__(self, hint: Any = Any) -> None:
        super().__init__(none_as_null=True)
        self.hint = hint

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.JSONB(none_as_null=True))
        return dialect.type_descriptor(JSON(none_as_null=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else msgspec.to_builtins(value, order="deterministic")

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else msgspec.convert(value, self.hint)


def column_type(hint: Any) -> tuple[TypeEngine[Any], bool]:
    """The column type for a field's type, and whether it may be null.

    Structs, maps and lists of anything but strings become JSON.
    """
    nullable = False
    while True:
        origin = typing.get_origin(hint)
        if origin is Annotated:
            hint = typing.get_args(hint)[0]
        elif origin in (types.UnionType, typing.Union):
            members = [
                member for member in typing.get_args(hint) if member not in (type(None), msgspec.UnsetType)
            ]
            nullable = nullable or type(None) in typing.get_args(hint)
            if len(members) != 1:
                raise TypeError(f"no column can hold {hint}")
            hint = members[0]
        else:
            break
    scalar = _SCALARS.get(hint)
    if scalar is not None:
        return scalar, nullable
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return EnumColumn(hint), nullable
    if typing.get_origin(hint) is list and _is_text(typing.get_args(hint)[0]):
        return StringSliceColumn(), nullable
    return JsonColumn(hint), nullable


def _is_text(hint: Any) -> bool:
    return hint is str or (typing.get_origin(hint) is Annotated and typing.get_args(hint)[0] is str)


_SCALARS: dict[Any, TypeEngine[Any]] = {
    int: BigInteger(),
    bool: Boolean(),
    float: Double(),
    # C: names sort by code point as on SQLite, and a search by prefix can use an index
    str: Text().with_variant(Text(collation="C"), "postgresql"),
    datetime: UtcTime(),
    NullTime: NullTimeColumn(),
}
