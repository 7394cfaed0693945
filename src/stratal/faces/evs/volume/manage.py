"""Disks that are there already, and become volumes."""

import re
from typing import Any, Final

import msgspec

from stratal.faces.evs.call import Call, Endpoint, Microversion, Mode
from stratal.faces.evs.faults import Fault, bad_request, not_found
from stratal.faces.evs.volume import lists
from stratal.faces.evs.volume.snapshots import Description, Metadata, Name
from stratal.faces.evs.volume.types import type_named
from stratal.faces.evs.volume.volumes import answer
from stratal.kernel.kind import Profile
from stratal.kernel.transaction import Transaction
from stratal.storage.block.managing import Existing
from stratal.storage.block.model import GIB
from stratal.storage.bs_policy.model import BsPolicySpec
from stratal.storage.bs_volume.model import DiskFormat

_SINCE: Final[Microversion] = (3, 8)
_FORMAT_OF: Final = {"qcow2": DiskFormat.QCOW2}
_RBD: Final = re.compile(r"^[^/]+/[^/]+$")


class Manage(msgspec.Struct, kw_only=True):
    ref: dict[str, str]
    host: str
    name: Name | None = None
    description: Description | None = None
    volume_type: str | None = None
    availability_zone: str | None = None
    metadata: Metadata | None = None
    bootable: bool | str = False


def manage(call: Call) -> dict[str, Any]:
    """Looking at the disk takes time, so it runs in a thread."""
    body = call.under("volume", Manage)
    if body.availability_zone not in (None, call.services.zone):
        raise bad_request(f"Availability zone '{body.availability_zone!s:.255}' is invalid.")
    block, database = call.services.storage.block, call.services.database
    existing = database.read(lambda transaction: _existing(transaction, call, body))
    prepared = block.managing.prepare(
        call.access, existing, name=(body.name or "").strip() or None, description=body.description
    )
    bootable = lists.is_true(body.bootable)

    def write(transaction: Transaction) -> dict[str, Any]:
        made = block.managing.manage(
            transaction, call.access, prepared, metadata=body.metadata or {}, bootable=bootable
        )
        return answer(transaction, call, made, full=False)

    return database.write(write)


def _existing(transaction: Transaction, call: Call, body: Manage) -> Existing:
    policy_id, policy = _policy(transaction, call, body.host)
    if body.volume_type is not None and type_named(transaction, call, body.volume_type).id != policy_id:
        raise bad_request("The volume type keeps its volumes on another host.")
    named = body.ref.get("source-name") or body.ref.get("source-path")
    if not named:
        raise bad_request("The ref has no source-name: a file's absolute path, or pool/image of RBD.")
    if named.startswith("/"):
        ending = named.rpartition(".")[2].lower()
        return Existing(policy_id=policy_id, path=named, format=_FORMAT_OF.get(ending, DiskFormat.RAW))
    if policy.driver != "rbd" or not _RBD.match(named):
        raise bad_request("source-name is no absolute path, and not of the form pool/image of an RBD host.")
    return Existing(policy_id=policy_id, rbd_image=named)


def _policy(transaction: Transaction, call: Call, host: str) -> tuple[int, BsPolicySpec]:
    """The policy that a host stands for, with or without the name of its pool."""
    for policy in call.services.storage.bs_policies.find(transaction, call.access):
        if host.partition("#")[0] == f"{call.services.node_name}@{policy.spec.name}":
            return policy.id, policy.spec
    raise not_found("Service", f"cinder-volume on {host:.128}")


def list_all(call: Call) -> dict[str, Any]:
    return _listed(call, detail=False)


def list_detail(call: Call) -> dict[str, Any]:
    return _listed(call, detail=True)


def _listed(call: Call, *, detail: bool) -> dict[str, Any]:
    """Files in the directories that the settings allow. What an RBD pool has beside ours is not told."""
    host = call.parameter("host")
    if not host:
        raise bad_request("Host must be specified in query parameters")
    _, policy = call.services.database.read(lambda transaction: _policy(transaction, call, host))
    found = [] if policy.driver != "qcow2" else call.services.storage.block.managing.files(call.access)
    shown: list[dict[str, Any]] = []
    for each in found:
        # how large the disk in a qcow2 file is says the file itself, which is looked at when it is managed
        raw = not each.path.endswith(".qcow2")
        item: dict[str, Any] = {
            "reference": {"source-name": each.path},
            "size": -(-each.size_bytes // GIB) if raw else None,
            "safe_to_manage": True,
        }
        if detail:
            item |= {"reason_not_safe": None, "cinder_id": None, "extra_info": "raw" if raw else "qcow2"}
        shown.append(item)
    first = lists.offset_of(call)
    if marker := call.parameter("marker"):
        references = [str(each["reference"]) for each in shown]
        if marker not in references:
            raise Fault(404, "The marker names nothing that could be managed.")
        first += references.index(marker) + 1
    return {"manageable-volumes": shown[first : first + lists.limit_of(call)]}


def _row(method: str, path: str, run: Any, status: int = 200, since: Microversion = (3, 0)) -> Endpoint:
    return Endpoint(
        method=method,
        path=f"/v3/{path}",
        run=run,
        kind="volume_manage",
        verb="list" if method == "GET" else "create",
        profile=Profile.INFRASTRUCTURE,
        status=status,
        mode=Mode.THREAD,
        since=since,
    )


ENDPOINTS: Final = tuple(
    row
    for path, since in (("os-volume-manage", (3, 0)), ("manageable_volumes", _SINCE))
    for row in (
        _row("POST", path, manage, 202, since),
        _row("GET", path, list_all, since=since),
        _row("GET", f"{path}/detail", list_detail, since=since),
    )
)
