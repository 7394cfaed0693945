"""Lists of Block Storage: filters, sorting, pages and the link to the next one. Called by endpoints."""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, and_, false, or_
from sqlalchemy.sql.elements import UnaryExpression

from stratal.faces.evs.call import Call, Microversion
from stratal.faces.evs.faults import Fault, bad_request, not_found
from stratal.kernel.transaction import Transaction
from stratal.storage.block.model import MB_PER_GB, UNNAMED

MOST: Final = 1000
"""Items of one page; Cinder's osapi_max_limit. More is not refused, but not answered either."""
_LARGEST: Final = 2**31 - 1
_LONGEST_PAIRS: Final = 1024
_TIMES: Final[Microversion] = (3, 60)
_COUNTS: Final[Microversion] = (3, 45)
_NOT_FILTERS: Final = frozenset(
    (
        "limit",
        "marker",
        "offset",
        "sort",
        "sort_key",
        "sort_dir",
        "all_tenants",
        "with_count",
        "glance_metadata",
    )
)
_GB_FIELDS: Final = frozenset(("size", "volume_size"))
_TRUE: Final = frozenset(("true", "1", "on", "yes", "y", "t"))
_FALSE: Final = frozenset(("false", "0", "off", "no", "n", "f"))

Fields = Mapping[str, ColumnElement[Any]]
Locate = Callable[[Transaction, Sequence[ColumnElement[Any]], str], Sequence[Any] | None]
"""Finds what the item with a UUID has in some columns."""
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Paging:
    """What a client wants to see of a list."""

    where: list[ColumnElement[bool]]
    order_by: list[ColumnElement[Any] | UnaryExpression[Any]]
    limit: int
    offset: int
    #: whether a client said how many it wants: only then is there a link to more
    limited: bool


def is_true(text: object) -> bool:
    """A boolean as OpenStack's clients write it. Raises a 400 for anything else."""
    word = str(text).strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise bad_request(f"Invalid input for a boolean: '{text!s:.32}' is none.")


def wants_all_projects(call: Call) -> bool:
    return is_true(call.parameter("all_tenants") or "false")


def paging(
    transaction: Transaction,
    call: Call,
    fields: Fields,
    *,
    id: ColumnElement[int],
    what: str,
    locate: Locate,
    extra: Mapping[str, Callable[[str], ColumnElement[bool]]] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> Paging:
    """The filters, the order and the page that the query asks for. `extra` are filters of a kind's own."""
    limit, limited = _limit(call)
    order = _order(call, fields, renamed or {})
    where = _filters(call, fields, extra or {}, renamed or {})
    marker = call.parameter("marker")
    if marker:
        where.append(_after(transaction, marker, fields, order, id, what, locate))
    columns: list[ColumnElement[Any] | UnaryExpression[Any]] = [
        fields[key].asc() if ascending else fields[key].desc() for key, ascending in order
    ]
    ascending = order[-1][1] if order else False
    columns.append(id.asc() if ascending else id.desc())
    return Paging(
        where=where, order_by=columns, limit=limit, offset=_number(call, "offset", 0), limited=limited
    )


def limit_of(call: Call) -> int:
    """How many a client wants at most. Raises a 400 for what is no number."""
    return _limit(call)[0]


def offset_of(call: Call) -> int:
    """How many a client wants to pass over. Raises a 400 for what is no number."""
    return _number(call, "offset", 0)


def pairs_of(text: str) -> dict[str, str]:
    """Pairs as clients write them into a query: `{"k": "v"}`, or as Python does. Raises a 400."""
    if len(text) > _LONGEST_PAIRS:
        raise bad_request("The filter is too long.")
    try:
        pairs: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pairs = None
    if not isinstance(pairs, dict):
        raise bad_request(f"The filter {text:.80} is not of the form {{'key': 'value'}}.")
    return {str(key): str(value) for key, value in cast(dict[object, object], pairs).items()}


def page(
    call: Call,
    key: str,
    items: Sequence[T],
    show: Callable[[T], dict[str, Any]],
    asked: Paging,
    *,
    last_id: str | None,
    count: Callable[[], int],
) -> dict[str, Any]:
    """A page as it is answered, with a link to the next one when this one is full."""
    body: dict[str, Any] = {key: [show(item) for item in items]}
    if asked.limited and items and len(items) == asked.limit and last_id is not None:
        kept = [(name, value) for name, value in call.query if name not in ("marker", "offset")]
        query = urlencode([*kept, ("marker", last_id)])
        body[f"{key}_links"] = [{"rel": "next", "href": f"{call.base}{call.path}?{query}"}]
    if call.microversion >= _COUNTS and is_true(call.parameter("with_count") or "false"):
        body["count"] = count()
    return body


def _number(call: Call, name: str, default: int) -> int:
    text = call.parameter(name)
    if text is None or text == "":
        return default
    if not text.lstrip("-").isascii() or not text.lstrip("-").isdecimal():
        raise bad_request(f"{name} param must be an integer", code="EVS.5400")
    number = int(text[:30])
    if number < 0:
        raise bad_request(f"{name} param must be positive", code="EVS.5400")
    if name == "offset" and number > _LARGEST:
        raise bad_request(f"offset must be <= {_LARGEST}", code="EVS.5400")
    return number


def _limit(call: Call) -> tuple[int, bool]:
    asked = _number(call, "limit", -1) if call.parameter("limit") else -1
    return (MOST, False) if asked < 0 else (min(asked, MOST), True)


def _order(call: Call, fields: Fields, renamed: Mapping[str, str]) -> list[tuple[str, bool]]:
    """Keys, and whether each is ascending. Newest first where nothing is said."""
    text = call.parameter("sort")
    if text:
        pairs = [part.strip().partition(":") for part in text.split(",")]
        wanted = [(key, direction or "desc") for key, _, direction in pairs]
    else:
        keys = [value for name, value in call.query if name == "sort_key"]
        directions = [value for name, value in call.query if name == "sort_dir"]
        wanted = [(key, directions[i] if i < len(directions) else "desc") for i, key in enumerate(keys)]
    order: list[tuple[str, bool]] = []
    for key, direction in wanted or [("created_at", "desc")]:
        if direction not in ("asc", "desc"):
            raise bad_request("Invalid input received: Unknown sort direction, must be 'desc' or 'asc'.")
        if (name := renamed.get(key, key)) not in fields:
            raise bad_request("Invalid input received: Invalid sort key")
        order.append((name, direction == "asc"))
    return order


def _filters(
    call: Call,
    fields: Fields,
    extra: Mapping[str, Callable[[str], ColumnElement[bool]]],
    renamed: Mapping[str, str],
) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    for name, value in call.query:
        if name in _NOT_FILTERS:
            continue
        plain = renamed.get(name, name)
        inexact = plain.endswith("~")
        if name in extra:
            where.append(extra[name](value))
        elif plain.removesuffix("~") not in fields:
            where.append(false())  # as the original: nothing has what nobody knows
        elif inexact:
            where.append(fields[plain.removesuffix("~")].contains(value, autoescape=True))
        else:
            where.append(_equal(call, plain, fields[plain], value))
    return where


def _equal(call: Call, name: str, column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    if name in ("created_at", "updated_at"):
        return _moment(call, name, column, value)
    if name in _GB_FIELDS:
        if not value.isdecimal() or len(value) > 12:
            return false()
        size_mb = int(value) * MB_PER_GB
        return and_(column > size_mb - MB_PER_GB, column <= size_mb)
    if name in ("bootable", "multiattach"):
        return column.is_(is_true(value))
    if name == "name" and value == "":
        return column == UNNAMED
    return column == value


def _moment(call: Call, name: str, column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    """`gt:2026-01-01T00:00:00` and the like, several of them separated by commas."""
    conditions: list[ColumnElement[bool]] = []
    for part in value.split(","):
        operator, colon, text = part.partition(":")
        if not colon or operator not in ("gt", "gte", "lt", "lte", "eq", "neq"):
            operator, text = "eq", part
        elif call.microversion < _TIMES:
            return false()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise bad_request(f"{name} has an invalid time: '{text:.64}'.") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        match operator:
            case "gt":
                conditions.append(column > moment)
            case "gte":
                conditions.append(column >= moment)
            case "lt":
                conditions.append(column < moment)
            case "lte":
                conditions.append(column <= moment)
            case "neq":
                conditions.append(column != moment)
            case _:
                conditions.append(column == moment)
    return and_(*conditions)


def _after(
    transaction: Transaction,
    marker: str,
    fields: Fields,
    order: Sequence[tuple[str, bool]],
    id: ColumnElement[int],
    what: str,
    locate: Locate,
) -> ColumnElement[bool]:
    """What stands behind the marker: the page goes on there, whatever came or went meanwhile."""
    keys = [fields[key] for key, _ in order]
    row = locate(transaction, [id, *keys], marker.lower())
    if row is None:
        raise not_found(what, marker)
    ascending = order[-1][1] if order else False
    columns = [*zip(keys, row[1:], (up for _, up in order), strict=True), (id, row[0], ascending)]
    steps: list[ColumnElement[bool]] = []
    for index, (column, value, up) in enumerate(columns):
        same = [earlier == seen for earlier, seen, _ in columns[:index]]
        steps.append(and_(*same, column > value if up else column < value))
    return or_(*steps)


def check_limit_of_documents(call: Call) -> None:
    """Huawei's lists take 1 to 1000. Raises EVS.1023."""
    text = call.parameter("limit")
    if text is not None and not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MOST):
        raise Fault(400, "limit must be from 1 to 1000", code="EVS.1023")
