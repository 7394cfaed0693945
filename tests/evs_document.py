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


_BACKUPS = "there are no backups yet: they come with the protection engine"
_GROUPS = "left behind by Cinder for `groups` and `group_snapshots`, which are served"
_NO_CLUSTER = "there is no cluster of volume services that could be disabled"
_SCHEDULES = "snapshots on a schedule come with the protection engine"
_ONE_SITE = "nothing is replicated to another site"
#: why a call is not served, by the first pattern that is found in it
REASONS = (
    (r"/backups", _BACKUPS),
    (r"/cgsnapshots|/consistencygroups", _GROUPS),
    (r"/clusters/", _NO_CLUSTER),
    (r"manageable_snapshots|os-snapshot-manage", "a snapshot is a layer of its own volume's graph"),
    (r"PUT /v3/os-hosts", "a service is disabled by `os-services`"),
    (r"/os-hosts/\{id\}", "what a host has by project is in quotas and pools"),
    (r"failover_host|freeze|thaw", _ONE_SITE),
    (r"get-log|set-log", "the level of the log is a setting of the server"),
    (r"workers/cleanup", "nothing is left behind that would have to be cleaned up"),
    (r"os-extend_volume_completion|os-reimage", "came after 3.66"),
    (r"os-initialize_connection|os-terminate_connection", "how machines elsewhere reach data is not told"),
    (r"os-migrate_volume", "volumes are not moved between places"),
    (r"os-unmanage", "the layers of a volume mean nothing without their graph"),
    (r"snapshot-policies", _SCHEDULES),
    (r"change-charge-mode|unsubscribe", "nothing is charged for"),
    (r"os-vendor-replication", _ONE_SITE),
    (r"internal-info", "no disk is loaded lazily: its data is there at once, shared"),
)


def reason(call: str) -> str:
    """Why a call is not served."""
    return next(why for pattern, why in REASONS if re.search(pattern, call))


def is_served(call: str) -> bool:
    method, path = call.split(" ")
    return _shape(method, path) in SERVED | {_shape("GET", "/{version}")} or _is_version(method, path)


def _is_version(method: str, path: str) -> bool:
    return method == "GET" and path == "/{version}"


def calls() -> dict[str, list[str]]:
    return json.loads(CALLS.read_text())


def _table(head: str, rows: list[tuple[str, bool]]) -> str:
    lines = [f"| {head} | served |", "|---|---|"]
    lines += [f"| `{row}` | {'yes' if served else f'no: {reason(row)}'} |" for row, served in rows]
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
