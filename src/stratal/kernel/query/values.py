"""From the text of a value to a bound parameter of the field's type. Called by `compile`, and by `page`."""

import math
import re
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Float, String
from sqlalchemy.types import TypeEngine

from stratal.kernel.query.fields import QueryField, ValueType

INT64_MINIMUM = -(2**63)
INT64_MAXIMUM = 2**63 - 1

# Python's own parsers also take underscores, other scripts' digits, "nan" and "infinity".
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}

EXPECTED = {
    ValueType.INTEGER: "a 64-bit integer",
    ValueType.NUMBER: "a number",
    ValueType.TEXT: "text",
    ValueType.BOOLEAN: "true or false",
    ValueType.TIME: "an ISO 8601 time such as 2026-01-01T00:00:00Z",
    ValueType.TEXT_LIST: "text without commas",
}
"""What a value of each type is called in a message."""

PythonValue = int | float | str | bool | datetime


def parse_value(text: str, value_type: ValueType) -> PythonValue | None:
    """The value that `text` stands for, or None if it stands for none of this type."""
    match value_type:
        case ValueType.INTEGER:
            return parse_int64(text)
        case ValueType.NUMBER:
            return _parse_number(text)
        case ValueType.BOOLEAN:
            return _BOOLEANS.get(text.lower())
        case ValueType.TIME:
            return _parse_time(text)
        case ValueType.TEXT:
            return text
        case ValueType.TEXT_LIST:
            return None if "," in text else text


def parse_int64(text: str) -> int | None:
    """The decimal integer written in `text`, or None if it is none or does not fit into 64 bits."""
    # Python refuses to convert more than 4300 digits; what has this many does not fit anyway.
    if len(text) > 1000 or not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if INT64_MINIMUM <= value <= INT64_MAXIMUM else None


def bound_type(field: QueryField) -> TypeEngine[Any]:
    """The SQL type that a value is bound in.

    Not always the column's: PostgreSQL would refuse a 64-bit value cast to a 32-bit column's type, and an
    Enum column would raise on a text that is not a member, where the right answer is that no row has it.
    """
    match field.value_type:
        case ValueType.INTEGER:
            return BigInteger()
        case ValueType.NUMBER:
            return Float()
        case ValueType.BOOLEAN:
            return Boolean()
        case ValueType.TIME:
            return field.column.type
        case ValueType.TEXT | ValueType.TEXT_LIST:
            return String()


def _parse_number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _parse_time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # the year 1 or 9999, moved over the edge by its offset
        return None
