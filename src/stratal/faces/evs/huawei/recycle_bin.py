"""The recycle bin: `/v3/{project}/recycle-bin-volumes`."""

from typing import Annotated, Any, Final

import msgspec

from stratal.faces.evs.call import Call, Dialect, Endpoint, Mode, decoded, stamp
from stratal.faces.evs.huawei import wire
from stratal.faces.evs.volume import lists
from stratal.faces.evs.volume.volumes import id_of
from stratal.faces.evs.volume.wire import owners_of
from stratal.kernel.transaction import Transaction
from stratal.storage.block.recycling import Recycled, RecyclePolicy

Days = Annotated[int, msgspec.Meta(ge=0, le=365)]
KeptDays = Annotated[int, msgspec.Meta(ge=1, le=365)]
_NAMES: Final = (
    "id",
    "name",
    "attachments",
    "multiattach",
    "size",
    "metadata",
    "bootable",
    "tags",
    "availability_zone",
    "created_at",
    "service_type",
    "updated_at",
    "volume_type",
    "enterprise_project_id",
    "volume_image_metadata",
    "wwn",
)


class Policy(msgspec.Struct, kw_only=True):
    switch: bool | None = None
    threshold_time: Days | None = None
    keep_time: KeptDays | None = None


def _shown(transaction: Transaction, call: Call, found: list[Recycled]) -> list[dict[str, Any]]:
    owners = owners_of(transaction, [each.volume for each in found])
    shown: list[dict[str, Any]] = []
    for each in found:
        full = wire.volume(call, each.volume, owners)
        shown.append(
            {
                **{name: full[name] for name in _NAMES},
                "status": "recycle",
                "pre_deleted_at": stamp(each.recycled_at),
                "plan_delete_at": stamp(each.expires_at),
            }
        )
    return shown


def list_detail(transaction: Transaction, call: Call) -> dict[str, Any]:
    lists.check_limit_of_documents(call)
    shown = _shown(transaction, call, call.services.storage.block.recycle_bin.all(transaction, call.access))
    for name in ("name", "status", "availability_zone", "service_type"):
        if wanted := call.parameter(name):
            shown = [each for each in shown if each[name] == wanted]
    first = lists.offset_of(call)
    return {"count": len(shown), "volumes": shown[first : first + lists.limit_of(call)]}


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    bin = call.services.storage.block.recycle_bin
    [shown] = _shown(transaction, call, [bin.show(transaction, call.access, id_of(transaction, call))])
    return {"volume": shown}


def restore(transaction: Transaction, call: Call) -> None:
    id = id_of(transaction, call)
    call.services.storage.block.recycle_bin.restore(transaction, call.access, id)


def purge(transaction: Transaction, call: Call) -> None:
    id = id_of(transaction, call)
    call.services.storage.block.recycle_bin.purge(transaction, call.access, id)


def show_policy(transaction: Transaction, call: Call) -> dict[str, Any]:
    policy = call.services.storage.block.recycle_bin.policy(transaction, call.access)
    return {
        "switch": policy.switch,
        "threshold_time": policy.threshold_time,
        "keep_time": policy.keep_time,
    }


def change_policy(transaction: Transaction, call: Call) -> None:
    body = decoded(call.object, Policy, "policy")
    said = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not None}
    policy = RecyclePolicy(**{**show_policy(transaction, call), **said})
    call.services.storage.block.recycle_bin.set_policy(transaction, call.access, policy)


def _row(method: str, path: str, run: Any, kind: str, verb: str, status: int = 200) -> Endpoint:
    return Endpoint(
        method=method,
        path=f"/v3/recycle-bin-volumes/{path}",
        run=run,
        kind=kind,
        verb=verb,
        status=status,
        mode=Mode.READ if method == "GET" else Mode.WRITE,
        dialect=Dialect.HUAWEI,
    )


ENDPOINTS: Final = (
    _row("GET", "detail", list_detail, "bs_volume", "list"),
    _row("GET", "policy", show_policy, "volume_recycle_policy", "show"),
    _row("PUT", "policy", change_policy, "volume_recycle_policy", "update"),
    _row("GET", "{id}", show, "bs_volume", "show"),
    _row("POST", "{id}/revert", restore, "bs_volume", "update", 202),
    _row("DELETE", "{id}", purge, "bs_volume", "delete", 202),
)
