"""What versions there are. Called by every client before anything else."""

from typing import Any, Final

from stratal.faces.evs.call import NEWEST, OLDEST, Call, Dialect, Endpoint, Reply
from stratal.faces.evs.faults import Fault
from stratal.faces.evs.microversions import shown
from stratal.kernel.transaction import Transaction

_UPDATED: Final = "2021-09-30T00:00:00Z"


def _cinder(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.0",
        "status": "CURRENT",
        "version": shown(NEWEST),
        "min_version": shown(OLDEST),
        "updated": _UPDATED,
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": f"{call.base}/v3/"},
        ],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}
        ],
    }


def _huawei(call: Call, version: str) -> dict[str, Any]:
    return {
        "id": f"{version}.0",
        "status": "SUPPORTED",
        "version": "",
        "min_version": "",
        "updated": _UPDATED,
        "links": [{"rel": "self", "href": f"{call.base}/{version}/"}],
        "media-types": [],
    }


def root(transaction: Transaction, call: Call) -> Reply:
    return Reply(body={"versions": [_cinder(call)]}, status=300)


def v3(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"versions": [_cinder(call)]}


def other(transaction: Transaction, call: Call) -> dict[str, Any]:
    """A version of Huawei's. `GET /v2` and the like: its SDK asks so."""
    version = call.path.strip("/")
    if version not in ("v1", "v2"):
        raise Fault(404, "The resource could not be found.")
    return {"versions": [_huawei(call, version)]}


def _row(path: str, run: Any) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        run=run,
        kind="version",
        verb="show",
        dialect=Dialect.CINDER,
        public=True,
    )


ENDPOINTS: Final = (_row("/", root), _row("/v3", v3), _row("/v1", other), _row("/v2", other))
