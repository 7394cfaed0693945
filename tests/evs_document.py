"""The tables of docs/evs.md: each call of the originals, and whether it is served.

`python tests/evs_document.py` writes them into the document.
"""

import json
import re
from pathlib import Path
from typing import Any

from stratal.faces.evs import ENDPOINTS
from stratal.faces.evs.call import Dialect
from stratal.faces.evs.volume.actions import ACTIONS as VOLUME_ACTIONS
from stratal.faces.evs.volume.snapshots import ACTIONS as SNAPSHOT_ACTIONS

DOCUMENT = Path(__file__).parent.parent / "docs" / "evs.md"
CALLS = Path(__file__).parent / "conformance" / "evs" / "evs_calls.json"
MARK = "<!-- from here on: written by tests/evs_document.py -->\n"

_PART = re.compile(r"\{[^}]*\}")


def _shape(method: str, path: str) -> str:
    """A call with its parts unnamed, and without the project's id."""
    return f"{method} {_PART.sub('{}', path.replace('/{project_id}', ''))}"


SERVED = {_shape(endpoint.method, endpoint.path.rstrip("/") or "/") for endpoint in ENDPOINTS}


def is_served(call: str) -> bool:
    method, path = call.split(" ")
    return _shape(method, path) in SERVED | {_shape("GET", "/{version}")} or _is_version(method, path)


def _is_version(method: str, path: str) -> bool:
    return method == "GET" and path == "/{version}"


def calls() -> dict[str, list[str]]:
    return json.loads(CALLS.read_text())


def _table(head: str, rows: list[tuple[str, bool]]) -> str:
    lines = [f"| {head} | served |", "|---|---|"]
    lines += [f"| `{row}` | {'yes' if served else 'no'} |" for row, served in rows]
    return "\n".join(lines)


def tables() -> str:
    """All that stands below the mark."""
    known: dict[str, Any] = calls()
    block = [(call, is_served(call)) for call in known["block_storage"]]
    volume = [(name, name in VOLUME_ACTIONS) for name in known["volume_actions"]]
    snapshot = [(name, name in SNAPSHOT_ACTIONS) for name in known["snapshot_actions"]]
    sdk = [(call, is_served(call.split(" ", 1)[1])) for call in known["sdk"]]
    documents = [(call, is_served(call)) for call in known["documents"]]
    identity = sorted(
        f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS if endpoint.dialect is Dialect.KEYSTONE
    )
    parts = [
        f"## Identity\n\n{len(identity)} calls, all of them served:\n\n"
        + "\n".join(f"- `{call}`" for call in identity),
        _section("Block Storage v3", "call", block),
        _section("Actions of volumes", "action", volume),
        _section("Actions of snapshots", "action", snapshot),
        _section("Huawei's SDK", "operation", sdk),
        _section("Huawei's documents, beside the SDK", "call", documents),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, head: str, rows: list[tuple[str, bool]]) -> str:
    number = sum(served for _, served in rows)
    return f"## {title}\n\n{number} of {len(rows)} are served.\n\n{_table(head, rows)}"


def main() -> None:
    head = DOCUMENT.read_text().partition(MARK)[0]
    DOCUMENT.write_text(f"{head}{MARK}\n{tables()}")


if __name__ == "__main__":
    main()
