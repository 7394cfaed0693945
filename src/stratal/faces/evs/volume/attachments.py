"""Attachments (3.27) and volume transfers."""

from typing import Annotated, Any, Final

import msgspec

from stratal.faces.evs import machines
from stratal.faces.evs.call import Call, Endpoint, Microversion, Mode, decoded, stamp
from stratal.faces.evs.faults import bad_request
from stratal.faces.evs.volume import lists
from stratal.kernel.access import Reach
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import uuids_of
from stratal.storage.block.views import AttachmentView
from stratal.storage.bs_volume.model import BS_VOLUME

_SINCE: Final[Microversion] = (3, 27)
_COMPLETE: Final[Microversion] = (3, 44)
_MODE: Final[Microversion] = (3, 54)


class AttachmentCreate(msgspec.Struct, kw_only=True):
    volume_uuid: str
    instance_uuid: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    connector: dict[str, Any] | None = None
    mode: str | None = None


class AttachmentUpdate(msgspec.Struct, kw_only=True):
    connector: dict[str, Any]


def _summary(each: AttachmentView, volumes: dict[int, str]) -> dict[str, Any]:
    return {
        "id": each.uuid,
        "status": each.status,
        "instance": each.instance_uuid,
        "volume_id": volumes[each.volume_id],
    }


def _detail(transaction: Transaction, each: AttachmentView) -> dict[str, Any]:
    return {
        **_summary(each, uuids_of(transaction, BS_VOLUME, [each.volume_id])),
        "attached_at": stamp(each.attached_at) or "",
        "detached_at": "",
        "attach_mode": each.mode,
        # how to reach the data is not told: machines outside of this Stratal cannot
        "connection_info": {},
    }


def create(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("attachment", AttachmentCreate)
    mode = body.mode if body.mode is not None and call.microversion >= _MODE else "rw"
    if mode not in ("rw", "ro"):
        raise bad_request(f"Invalid input for field/attribute mode. Value: {mode:.32}. must be 'rw' or 'ro'")
    volume_id = call.id_of(transaction, BS_VOLUME, body.volume_uuid, "Volume")
    machine = machines.machine_named(transaction, call, body.instance_uuid)
    if machine is not None:
        made = machines.attach(transaction, call, volume_id, machine, mode=mode, verb="reserve")
        return {"attachment": _detail(transaction, made)}
    made = call.services.storage.block.attachments.create(
        transaction,
        call.access,
        volume_id,
        instance_uuid=body.instance_uuid,
        mode=mode,
        connector=body.connector,
    )
    return {"attachment": _detail(transaction, made)}


def _listed(transaction: Transaction, call: Call) -> list[AttachmentView]:
    all_projects = lists.wants_all_projects(call)
    everybody = all_projects and call.access.reach is Reach.ALL
    found = [
        *call.services.storage.block.attachments.all(transaction, call.access, all_projects=all_projects),
        *machines.of_project(transaction, None if everybody else call.access.project_id),
    ]
    volumes = uuids_of(transaction, BS_VOLUME, [each.volume_id for each in found])
    wanted = {name: call.parameter(name) for name in ("volume_id", "instance_id", "status", "attach_status")}
    return [
        each
        for each in found
        if wanted["volume_id"] in (None, volumes[each.volume_id])
        and wanted["instance_id"] in (None, each.instance_uuid)
        and (wanted["status"] or wanted["attach_status"]) in (None, each.status)
    ]


def list_all(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = _listed(transaction, call)
    volumes = uuids_of(transaction, BS_VOLUME, [each.volume_id for each in found])
    return {"attachments": [_summary(each, volumes) for each in found]}


def list_detail(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"attachments": [_detail(transaction, each) for each in _listed(transaction, call)]}


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = machines.named(transaction, call, call.parts["id"])
    if found is None:
        found = call.services.storage.block.attachments.show(transaction, call.access, call.parts["id"])
    return {"attachment": _detail(transaction, found)}


def update(transaction: Transaction, call: Call) -> dict[str, Any]:
    """From where it is used; of a disk of a machine of this Stratal, that is known already."""
    body = call.under("attachment", AttachmentUpdate)
    changed = machines.named(transaction, call, call.parts["id"])
    if changed is None:
        changed = call.services.storage.block.attachments.update(
            transaction, call.access, call.parts["id"], body.connector
        )
    return {"attachment": _detail(transaction, changed)}


def complete(transaction: Transaction, call: Call) -> None:
    if "os-complete" not in call.object:
        raise bad_request(
            "There is no such action. Verify the request body and Content-Type header and try again."
        )
    if machines.named(transaction, call, call.parts["id"]) is None:
        call.services.storage.block.attachments.complete(transaction, call.access, call.parts["id"])


def delete(transaction: Transaction, call: Call) -> dict[str, Any]:
    service = call.services.storage.block.attachments
    in_machine = machines.named(transaction, call, call.parts["id"])
    if in_machine is not None:
        machines.detach(transaction, call, in_machine)
        return {"attachments": []}
    volume_id = service.show(transaction, call.access, call.parts["id"]).volume_id
    service.delete(transaction, call.access, call.parts["id"])
    volumes = uuids_of(transaction, BS_VOLUME, [volume_id])
    left = [each for each in service.all(transaction, call.access) if each.volume_id == volume_id]
    return {"attachments": [_summary(each, volumes) for each in left]}


# -- transfers ---------------------------------------------------------------------------------------


class TransferCreate(msgspec.Struct, kw_only=True):
    volume_id: str
    name: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    no_snapshots: bool | None = None


class TransferAccept(msgspec.Struct, kw_only=True):
    auth_key: str


def _transfer(call: Call, found: Any, *, detail: bool = True) -> dict[str, Any]:
    path = f"os-volume-transfer/{found.uuid}"
    shown: dict[str, Any] = {
        "id": found.uuid,
        "name": found.name or None,
        "volume_id": found.volume_uuid,
        "links": [
            {"rel": "self", "href": f"{call.base}/v3/{path}"},
            {"rel": "bookmark", "href": f"{call.base}/{path}"},
        ],
    }
    if detail:
        shown["created_at"] = stamp(found.created_at)
        if call.microversion >= (3, 55):
            shown["no_snapshots"] = found.no_snapshots
    return shown


def create_transfer(transaction: Transaction, call: Call) -> dict[str, Any]:
    """Huawei refuses to transfer volumes with snapshots; OpenStack takes them along from 3.55 on."""
    body = call.under("transfer", TransferCreate)
    volume_id = call.id_of(transaction, BS_VOLUME, body.volume_id, "Volume")
    made, key = call.services.storage.block.transfers.create(
        transaction,
        call.access,
        volume_id,
        name=body.name or "",
        no_snapshots=bool(body.no_snapshots) and call.microversion >= (3, 55),
        refuse_snapshots=call.documented or call.microversion < (3, 55),
    )
    return {"transfer": {**_transfer(call, made), "auth_key": key}}


def _transfers(transaction: Transaction, call: Call, *, detail: bool) -> dict[str, Any]:
    found = call.services.storage.block.transfers.all(
        transaction, call.access, all_projects=lists.wants_all_projects(call)
    )
    return {"transfers": [_transfer(call, each, detail=detail) for each in found]}


def list_transfers(transaction: Transaction, call: Call) -> dict[str, Any]:
    return _transfers(transaction, call, detail=False)


def list_transfers_detail(transaction: Transaction, call: Call) -> dict[str, Any]:
    return _transfers(transaction, call, detail=True)


def show_transfer(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.storage.block.transfers.show(transaction, call.access, call.parts["id"])
    return {"transfer": _transfer(call, found)}


def delete_transfer(transaction: Transaction, call: Call) -> None:
    call.services.storage.block.transfers.delete(transaction, call.access, call.parts["id"])


def accept_transfer(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = decoded(call.object.get("accept"), TransferAccept, "accept")
    found = call.services.storage.block.transfers.accept(
        transaction, call.access, call.parts["id"], body.auth_key
    )
    return {"transfer": _transfer(call, found, detail=False)}


def _row(
    method: str, path: str, run: Any, verb: str, status: int = 200, since: Microversion = (3, 0)
) -> Endpoint:
    kind = "volume_attachment" if "attachments" in path else "volume_transfer"
    mode = Mode.READ if method == "GET" else Mode.WRITE
    return Endpoint(
        method=method,
        path=f"/v3/{path}",
        run=run,
        kind=kind,
        verb=verb,
        status=status,
        mode=mode,
        since=since,
    )


ENDPOINTS: Final = (
    _row("POST", "attachments", create, "create", since=_SINCE),
    _row("GET", "attachments", list_all, "list", since=_SINCE),
    _row("GET", "attachments/detail", list_detail, "list", since=_SINCE),
    _row("GET", "attachments/{id}", show, "show", since=_SINCE),
    _row("PUT", "attachments/{id}", update, "update", since=_SINCE),
    _row("DELETE", "attachments/{id}", delete, "delete", since=_SINCE),
    _row("POST", "attachments/{id}/action", complete, "complete", 204, _COMPLETE),
    *(
        row
        for name, since in (("os-volume-transfer", (3, 0)), ("volume-transfers", (3, 55)))
        for row in (
            _row("POST", name, create_transfer, "create", 202, since),
            _row("GET", name, list_transfers, "list", since=since),
            _row("GET", f"{name}/detail", list_transfers_detail, "list", since=since),
            _row("GET", f"{name}/{{id}}", show_transfer, "show", since=since),
            _row("DELETE", f"{name}/{{id}}", delete_transfer, "delete", 202, since),
            _row("POST", f"{name}/{{id}}/accept", accept_transfer, "accept", 202, since),
        )
    ),
)
