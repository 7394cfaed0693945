"""`field=value` as typed at the command line, turned into what a body holds.

- `size_mb=10G`, `bs_policy_id=fast` (a name), `shared=yes`, `node_ids=a,b`, `profile={"a": 1}`
- `field:=JSON` gives exactly that JSON, so `field:=null` takes a value away
- `field=@FILE` reads a text from a file, `@-` from standard input: so a password is on no command line
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stratal.cli.client.errors import BadArgument
from stratal.cli.client.kinds import JSON, Field
from stratal.cli.client.session import Session
from stratal.cli.client.sizes import size_bytes, size_mb

_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_-]*)(?P<how>:?=)(?P<value>.*)", re.DOTALL)
_TRUE = frozenset(("true", "yes", "on", "1"))
_FALSE = frozenset(("false", "no", "off", "0"))
_BYTES = re.compile(r"_(byte|bps)$")
_MEBIBYTES = re.compile(r"_mb(_quota)?$")


def body(session: Session, fields: Mapping[str, Field], assignments: Iterable[str]) -> JSON:
    """The spec that these assignments say. Raises BadArgument; what is missing the server says."""
    spec: JSON = {}
    for text in assignments:
        match = _ASSIGNMENT.fullmatch(text)
        if match is None:
            raise BadArgument(reason=f"{text} is not of the form field=value")
        name = match["name"].replace("-", "_")
        field = _meant(fields, name)
        if field is None:
            known = ", ".join(sorted(fields)) or "none"
            raise BadArgument(reason=f"there is no field {name} here; there are: {known}")
        spec[field.name] = (
            _json(field, match["value"]) if match["how"] == ":=" else value(session, field, match["value"])
        )
    return spec


def _meant(fields: Mapping[str, Field], name: str) -> Field | None:
    """The field of this name; or the only one that it is short for, as policy is for bs_policy_id."""
    if name in fields:
        return fields[name]
    endings = (f"_{name}_id", f"_{name}")
    longer = [field for each, field in fields.items() if f"_{each}".endswith(endings)]
    return longer[0] if len(longer) == 1 else None


def value(session: Session, field: Field, text: str) -> Any:
    """The value that somebody means by this text. Raises BadArgument, Nameless, Ambiguous."""
    if text.startswith("@"):
        text = "@" + text[2:] if text.startswith("@@") else _read(text[1:])
    match field.type:
        case "integer":
            return _integer(session, field, text)
        case "number":
            return _number(field, text)
        case "boolean":
            if text.lower() in _TRUE | _FALSE:
                return text.lower() in _TRUE
            raise BadArgument(reason=f"{field.name} is yes or no, not {text}")
        case "array":
            return _array(session, field, text)
        case "string":
            if field.choices and text not in field.choices:
                raise BadArgument(reason=f"{field.name} is one of {', '.join(field.choices)}, not {text}")
            return text
        case _:
            return _json(field, text)


def _integer(session: Session, field: Field, text: str) -> int:
    target = session.document.target(field.name)
    if target:
        return session.find(target, text)
    if _MEBIBYTES.search(field.name):
        return size_mb(text)
    if _BYTES.search(field.name):
        return size_bytes(text)
    try:
        return int(text)
    except ValueError:
        raise BadArgument(reason=f"{field.name} is a whole number, not {text}") from None


def _number(field: Field, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadArgument(reason=f"{field.name} is a number, not {text}") from None


def _array(session: Session, field: Field, text: str) -> list[Any]:
    if text.startswith("["):
        return _json(field, text)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if field.items == "object":
        return _json(field, text)
    if field.items == "integer":
        return [_integer(session, field, part) for part in parts]
    return parts


def _json(field: Field, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadArgument(reason=f"{field.name} is not given as JSON: {error}") from None


def _read(path: str) -> str:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadArgument(reason=f"{path} cannot be read: {error}") from None
    return text.removesuffix("\n").removesuffix("\r")
