"""What commands print: tables and details for people, JSON for programs.

Results go to standard output, everything else to standard error. Where the output is no terminal a table has
neither colours nor a width to fit into, so that nothing of it is cut off.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from stratal.cli.client.errors import BadArgument
from stratal.cli.client.kinds import BASE_FIELDS, JSON, Kind
from stratal.cli.client.session import Session
from stratal.cli.client.sizes import MIB, shown_bytes

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 10_000
_COLOURS = {
    **dict.fromkeys(("active", "running", "finished", "succeeded", "healthy", "up"), "green"),
    **dict.fromkeys(("creating", "reconciling", "deleting", "uploading", "converting", "warning"), "yellow"),
    **dict.fromkeys(("failed", "error", "crashed", "down", "unavailable"), "red"),
    **dict.fromkeys(("stopped", "waiting"), "bright_black"),
}
_OTHER_COLUMNS = 5


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table."""

    title: str
    #: where its value is, such as spec.size_mb; several of which the first that is there counts
    path: str
    #: the plural that its ids are of, so that names can be shown
    of: str = ""


def column(text: str, of: str = "") -> Column:
    """`SIZE=spec.size_mb`, or a path whose last part becomes the title."""
    title, equals, path = text.rpartition("=")
    last = path.split(",")[0].rpartition(".")[2]
    return Column(title=(title if equals else last).upper().replace("_", " "), path=path, of=of)


ID, NAME, STATE = (column(f"metadata.{each}") for each in ("id", "name", "state.state"))


@cache
def console(*, to_stderr: bool = False) -> "Console":
    """Where people read."""
    from rich.console import Console

    stream = sys.stderr if to_stderr else sys.stdout
    return Console(
        stderr=to_stderr, highlight=False, emoji=False, markup=False, width=None if stream.isatty() else _WIDE
    )


def print_json(value: Any) -> None:
    """One JSON document."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    sys.stdout.write(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") + "\n")


def say(text: str) -> None:
    """Something beside the result."""
    print(text, file=sys.stderr, flush=True)


def styled(text: str, colour: str) -> str:
    """The text in a colour, where there are any."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    codes = {"red": 31, "green": 32, "yellow": 33}
    return f"\x1b[{codes[colour]}m{text}\x1b[0m"


# -- tables ------------------------------------------------------------------------------------------------


def print_table(session: Session, columns: Sequence[Column], items: Sequence[JSON]) -> None:
    """A row for each item. Ids of other resources are shown with their names."""
    names = {
        each.of: session.names_of(
            each.of, {value for item in items if isinstance(value := _at(item, each.path), int)}
        )
        for each in columns
        if each.of
    }
    rows = [[_cell(each, item, names.get(each.of, {})) for each in columns] for item in items]
    print_rows([each.title for each in columns], rows)


def print_rows(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not sys.stdout.isatty():
        widths = [max(map(len, cells)) for cells in zip(titles, *rows, strict=True)]
        for cells in (titles, *rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            print(line.rstrip())
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in titles:
        table.add_column(title, no_wrap=title in ("ID", "STATE"), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_COLOURS.get(cell, "")) for cell in row))
    console().print(table)


def columns_of(kind: Kind) -> list[Column]:
    """The columns of a kind that nobody has chosen columns for: what is its own, as it was declared."""
    if not kind.is_resource:
        return [column(name) for name in list(kind.spec)[: _OTHER_COLUMNS + 3]]
    own = [f"spec.{name}" for name, field in kind.spec.items() if _fits(name, field.type)]
    own += [
        f"status.{name}"
        for name, field in kind.status.items()
        if _fits(name, field.type) and name not in kind.spec
    ]
    return [ID, NAME, STATE, *(column(path) for path in own[:_OTHER_COLUMNS])]


def chosen_columns(text: str, otherwise: Sequence[Column]) -> Sequence[Column]:
    """The columns of `--columns id,name,spec.size_mb`."""
    if not text:
        return otherwise
    short = {"id": ID, "name": NAME, "state": STATE}
    chosen = [short.get(part) or column(part) for part in (each.strip() for each in text.split(",")) if part]
    if not chosen:
        raise BadArgument(reason="--columns names no column")
    return chosen


def _fits(name: str, type_: str) -> bool:
    return name not in BASE_FIELDS and name != "problem" and type_ not in ("object", "array")


def _cell(each: Column, item: JSON, names: Mapping[int, str]) -> str:
    path = next((path for path in each.path.split(",") if _at(item, path) is not None), each.path)
    value = _at(item, path)
    if each.of and value in names:
        return names[value]
    return shown(path.rpartition(".")[2], value)


def _at(item: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(item, dict):
            return None
        item = cast(JSON, item).get(part)
    return item


# -- details -----------------------------------------------------------------------------------------------


def print_details(item: JSON) -> None:
    """All there is to say of one resource, field by field."""
    if "metadata" not in item:
        _print_pairs([(name, shown(name, value)) for name, value in item.items()])
        return
    metadata: JSON = item["metadata"]
    spec: JSON = item.get("spec") or {}
    status: JSON = item.get("status") or {}
    pairs = [("id", str(metadata["id"])), ("name", str(metadata["name"]))]
    if "state" in metadata:
        pairs.append(("state", state_of(item)))
    pairs += [(f"label {each['label_key_name']}", each["label_value_name"]) for each in metadata["labels"]]
    pairs += [
        (name, shown(name, value))
        for name, value in spec.items()
        if name not in ("id", "name", "etag", "deleted_at", "creation_finish")
    ]
    pairs += [
        (f"{name}, now" if name in spec else name, shown(name, value))
        for name, value in status.items()
        if name not in BASE_FIELDS and (name not in spec or spec[name] != value)
    ]
    _print_pairs(pairs)


def state_of(item: JSON) -> str:
    """The state, with what it is still about."""
    state: JSON = item["metadata"]["state"]
    differing: JSON = state.get("diff_fields") or {}
    words = [str(state["state"])]
    if differing.get("reconciling") and state["state"] != "creating":  # of what is new all of it is to come
        words.append(f"(not yet: {', '.join(differing['reconciling'])})")
    if differing.get("irreconcilable"):
        words.append(f"(later: {', '.join(differing['irreconcilable'])})")
    return " ".join(words)


def _print_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    width = max((len(name) for name, _ in pairs), default=0)
    for name, text in pairs:
        print(f"{name:<{width}}  {text}".rstrip())


def shown(name: str, value: Any) -> str:
    """A value of a field of this name, for people."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int() if name.endswith(("_mb", "_mb_quota")):
            return shown_bytes(value * MIB)
        case int() if name.endswith("_byte"):
            return shown_bytes(value)
        case str() if name.endswith("_at") or name in ("expires", "creation_finish", "deletion_begin"):
            return _local(value)
        case str():
            return "".join(each if each.isprintable() else " " for each in value)
        case list() | dict():
            return _compact(cast(Any, value))
        case _:
            return str(value)


def _compact(value: list[Any] | JSON) -> str:
    if isinstance(value, list):
        if all(isinstance(each, str | int) for each in value):
            return ", ".join(map(str, value)) or "-"
    elif set(value) == {"Time", "Valid"}:  # Go's NullTime
        return _local(str(value["Time"])) if value["Valid"] else "-"
    return json.dumps(value, ensure_ascii=False)


def _local(text: str) -> str:
    """A time of the API in the time zone of whoever reads it."""
    try:
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return text
