"""The endpoints that the reference lists of the kinds that Stratal has."""

import json
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
RESOURCES = frozenset(
    (
        *(
            "data-centers",
            "rooms",
            "racks",
            "chassises",
            "label-keys",
            "label-values",
            "events",
            "audit-logs",
        ),
        *("virtual-machines", "vm-disks", "vm-nics", "vm-cd-roms", "vm-scheduling-rules"),
        *("vm-snaps", "vm-disk-snaps", "vm-nic-snaps", "vm-cd-rom-snaps"),
        *("vm-cleanup-jobs", "vm-disk-cleanup-jobs", "vm-nic-cleanup-jobs", "vm-migration-jobs"),
        *("nics", "vsws", "br-nets", "br-net-nss", "bridges", "l3-nets"),
        *("users", "roles", "projects", "tokens", "rsa-keys", "settings", "version", "license-summary"),
    )
)


@dataclass(frozen=True)
class Indexed:
    method: str
    #: as the reference writes it: `/x/`, `/x/{id}`, `/x/{id}/:verb`
    path: str

    @property
    def route(self) -> str:
        """As Stratal's documents write it: without a slash at the end."""
        return self.path.rstrip("/").replace("}:", "}/:")

    @property
    def key(self) -> str:
        return f"{self.method} {self.route}"


def indexed_endpoints() -> list[Indexed]:
    """Every endpoint of the kinds of this suite."""
    return [Indexed(entry["method"], entry["path"]) for entry in _entries() if entry["resource"] in RESOURCES]


def whole_index() -> list[Indexed]:
    """Every endpoint that the reference lists."""
    return [Indexed(entry["method"], entry["path"]) for entry in _entries()]


def _entries() -> list[dict[str, str]]:
    return json.loads((HERE / "endpoints.json").read_text())
