"""What the JSON decoder lets through in a request's body and Stratal does not. Called by `dispatch`.

RFC 8259 leaves open what an object means that has the same name twice. Some readers take the first, msgspec
takes the last: a proxy that checks requests may see another one than the one that is carried out.
"""

import json
from typing import Any, cast

Pairs = list[tuple[str, Any]]


def repeated_key(raw: bytes) -> str | None:
    """The path of a name that an object in this valid JSON has twice, such as `spec.name`, or None.

    Raises RecursionError for JSON that is nested too deeply.
    """
    try:
        json.loads(raw or b"{}", object_pairs_hook=_refuse_twins, parse_int=len, parse_float=len)
    except _Twins:
        return _find(json.loads(raw, object_pairs_hook=_Object, parse_int=len, parse_float=len), "")
    return None


class _Twins(Exception):
    """Some object has a name twice."""


class _Object(Pairs):
    """An object with all its members."""


def _refuse_twins(pairs: Pairs) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Twins


def _find(value: object, path: str) -> str | None:
    seen: set[str] = set()
    members: Pairs = []
    if isinstance(value, _Object):
        members = [(f"{path}.{name}".removeprefix("."), below) for name, below in value]
    elif isinstance(value, list):
        members = [(f"{path}[{index}]", below) for index, below in enumerate(cast(list[Any], value))]
    for place, below in members:
        if place in seen:
            return place
        seen.add(place)
        found = _find(below, place)
        if found is not None:
            return found
    return None
