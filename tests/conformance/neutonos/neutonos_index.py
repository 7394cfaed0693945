"""The endpoints that the reference lists for the kinds that are served now."""

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
        return self.path.rstrip("/")

    @property
    def key(self) -> str:
        return f"{self.method} {self.route}"


def indexed_endpoints() -> list[Indexed]:
    """Every endpoint of the kinds that are served now."""
    entries = json.loads((HERE / "endpoints.json").read_text())
    return [Indexed(entry["method"], entry["path"]) for entry in entries if entry["resource"] in RESOURCES]
