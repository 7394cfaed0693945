"""What there is, as Block Storage tells it: services, hosts, clusters, capabilities, filters, messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from stratal import __version__
from stratal.faces.evs.call import Call, Endpoint, Microversion, Mode, decoded, stamp
from stratal.faces.evs.faults import bad_request, not_found
from stratal.faces.evs.volume import lists
from stratal.kernel.kind import Profile
from stratal.kernel.transaction import Transaction
from stratal.storage.block.messages import Message
from stratal.storage.block.types import VolumeType
from stratal.storage.block.views import SNAPSHOT_FIELDS, VOLUME_FIELDS
from stratal.storage.bs_policy.model import PoolStatus

_MESSAGES: Final[Microversion] = (3, 3)
_CLUSTERS: Final[Microversion] = (3, 7)
_FILTERS: Final[Microversion] = (3, 33)
_VOLUME, _SCHEDULER = "cinder-volume", "cinder-scheduler"


class ServiceBody(msgspec.Struct, kw_only=True):
    host: str
    binary: str | None = None
    disabled_reason: str | None = None


# -- services ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Service:
    """A service of the original that there is here: one for each place of volumes, and one that chooses."""

    binary: str
    host: str
    type: VolumeType | None
    up: bool
    seen: datetime | None


def _services(transaction: Transaction, call: Call) -> Sequence[_Service]:
    """A volume service for each policy, and no backup service: there is none."""
    types = {each.id: each for each in call.services.storage.block.types.all(transaction, call.access)}
    found = [
        _Service(
            binary=_VOLUME,
            host=f"{call.services.node_name}@{policy.spec.name}",
            type=types.get(policy.id),
            up=policy.status.pool_status is not PoolStatus.UNAVAILABLE,
            seen=policy.status.updated_at,
        )
        for policy in call.services.storage.bs_policies.find(transaction, call.access)
    ]
    scheduler = _Service(
        binary=_SCHEDULER, host=call.services.node_name, type=None, up=True, seen=transaction.now
    )
    return [*found, scheduler]


def _service(call: Call, each: _Service) -> dict[str, Any]:
    disabled = each.type is not None and each.type.disabled
    shown: dict[str, Any] = {
        "binary": each.binary,
        "host": each.host,
        "zone": call.services.zone,
        "status": "disabled" if disabled else "enabled",
        "state": "up" if each.up else "down",
        "updated_at": stamp(each.seen),
        "disabled_reason": each.type.disabled_reason if each.type else None,
    }
    if call.microversion >= _CLUSTERS:
        shown["cluster"] = None
    if call.microversion >= (3, 49):
        shown["backend_state"] = "up" if each.up else "down"
    return shown


def list_services(transaction: Transaction, call: Call) -> dict[str, Any]:
    binary, host = call.parameter("binary"), call.parameter("host")
    return {
        "services": [
            _service(call, each)
            for each in _services(transaction, call)
            if binary in (None, each.binary) and host in (None, each.host)
        ]
    }


def _found(transaction: Transaction, call: Call) -> tuple[ServiceBody, VolumeType]:
    body = decoded(call.object, ServiceBody, "service")
    if body.binary == _SCHEDULER:
        raise bad_request("The scheduler is a part of the server, and cannot be disabled alone.")
    for each in _services(transaction, call):
        if each.type is not None and each.host == body.host and body.binary in (None, each.binary):
            return body, each.type
    raise not_found("Service", f"{body.binary or _VOLUME} on {body.host:.128}")


def enable(transaction: Transaction, call: Call) -> dict[str, Any]:
    body, found = _found(transaction, call)
    types = call.services.storage.block.types
    types.set_disabled(transaction, call.access, found.id, disabled=False, reason=None)
    return {"host": body.host, "service": _VOLUME, "binary": _VOLUME, "disabled": False, "status": "enabled"}


def disable(transaction: Transaction, call: Call) -> dict[str, Any]:
    """No new volumes where this service keeps them; those that are there go on."""
    return _disabled(transaction, call, with_reason=False)


def disable_with_reason(transaction: Transaction, call: Call) -> dict[str, Any]:
    return _disabled(transaction, call, with_reason=True)


def _disabled(transaction: Transaction, call: Call, *, with_reason: bool) -> dict[str, Any]:
    body, found = _found(transaction, call)
    reason = (body.disabled_reason or "").strip() if with_reason else None
    if with_reason and not 1 <= len(reason or "") <= 255:
        raise bad_request("Disabled reason contains invalid characters or is too long.")
    types = call.services.storage.block.types
    types.set_disabled(transaction, call.access, found.id, disabled=True, reason=reason)
    shown: dict[str, Any] = {
        "host": body.host,
        "service": _VOLUME,
        "binary": _VOLUME,
        "disabled": True,
        "status": "disabled",
    }
    return {**shown, "disabled_reason": reason} if with_reason else shown


def list_hosts(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {
        "hosts": [
            {
                "host_name": each.host,
                "service": each.binary,
                "zone": call.services.zone,
                "service-status": "available" if each.up else "unavailable",
                "service-state": "disabled" if each.type and each.type.disabled else "enabled",
                "last-update": stamp(each.seen),
            }
            for each in _services(transaction, call)
        ]
    }


def list_clusters(transaction: Transaction, call: Call) -> dict[str, Any]:
    """None: no volume service stands in for another one."""
    return {"clusters": []}


def show_cluster(transaction: Transaction, call: Call) -> None:
    raise not_found("Cluster", call.parts["id"])


# -- what there is -----------------------------------------------------------------------------------


def capabilities(transaction: Transaction, call: Call) -> dict[str, Any]:
    """What the place of a policy can do, by its host, with or without the name of the pool."""
    host = call.parts["id"].partition("#")[0]
    for policy in call.services.storage.bs_policies.find(transaction, call.access):
        if host == f"{call.services.node_name}@{policy.spec.name}":
            return {
                "namespace": f"OS::Storage::Capabilities::{host}",
                "vendor_name": "Stratal",
                "volume_backend_name": policy.spec.name,
                "pool_name": policy.spec.name,
                "driver_version": __version__,
                "storage_protocol": policy.spec.driver,
                "display_name": policy.spec.name,
                "description": policy.spec.description or None,
                "visibility": "public",
                "replication_targets": [],
                "properties": {
                    "thin_provisioning": _property("Thin provisioning", policy.spec.thin_provisioned),
                    "compression": _property("Compression", False),
                    "qos": _property("QoS", True),
                    "replication_enabled": _property("Replication", False),
                },
            }
    raise not_found("Host", call.parts["id"])


def _property(title: str, default: bool) -> dict[str, Any]:
    return {"title": title, "description": f"{title}.", "type": "boolean", "default": default}


def filters(transaction: Transaction, call: Call) -> dict[str, Any]:
    wanted = call.parameter("resource")
    known = {
        "volume": [*VOLUME_FIELDS, "metadata", "name~", "status~"],
        "snapshot": [*SNAPSHOT_FIELDS, "name~", "status~"],
        "attachment": ["volume_id", "instance_id", "status", "attach_status"],
        "message": ["resource_uuid", "resource_type", "event_id", "request_id", "message_level"],
    }
    return {
        "resource_filters": [
            {"resource": resource, "filters": names}
            for resource, names in known.items()
            if wanted in (None, resource)
        ]
    }


# -- messages ----------------------------------------------------------------------------------------

_KINDS: Final = {"bs_volume": "VOLUME", "bs_snap": "VOLUME_SNAPSHOT"}


def _message(call: Call, found: Message) -> dict[str, Any]:
    uuid = str(UUID(int=found.id))
    return {
        "id": uuid,
        "event_id": found.event,
        "user_message": found.text,
        "message_level": "ERROR",
        "resource_type": _KINDS[found.kind],
        "resource_uuid": found.resource_uuid,
        "request_id": "",
        "created_at": stamp(found.created_at),
        "guaranteed_until": None,
        "links": [
            {"rel": "self", "href": f"{call.base}/v3/messages/{uuid}"},
            {"rel": "bookmark", "href": f"{call.base}/messages/{uuid}"},
        ],
    }


def list_messages(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.storage.block.messages.all(transaction, call.access)
    shown = [_message(call, each) for each in found]
    names = ("resource_uuid", "resource_type", "event_id", "request_id", "message_level")
    for name in names if call.microversion >= (3, 5) else ():
        if (wanted := call.parameter(name)) is not None:
            shown = [each for each in shown if each[name] == wanted]
    if call.microversion < (3, 5):
        return {"messages": shown}
    if marker := call.parameter("marker"):
        ids = [each["id"] for each in shown]
        if marker not in ids:
            raise not_found("Message", marker)
        shown = shown[ids.index(marker) + 1 :]
    return {"messages": shown[: lists.limit_of(call)]}


def _message_id(call: Call) -> int:
    try:
        number = UUID(call.parts["id"]).int
    except ValueError:
        number = -1
    if not 0 <= number < 2**63:
        raise not_found("Message", call.parts["id"])
    return number


def show_message(transaction: Transaction, call: Call) -> dict[str, Any]:
    messages, id = call.services.storage.block.messages, _message_id(call)
    call.uuids[id] = call.parts["id"]
    return {"message": _message(call, messages.show(transaction, call.access, id))}


def delete_message(transaction: Transaction, call: Call) -> None:
    id = _message_id(call)
    call.uuids[id] = call.parts["id"]
    call.services.storage.block.messages.dismiss(transaction, call.access, id)


def _row(
    method: str,
    path: str,
    run: Any,
    kind: str,
    verb: str,
    profile: Profile,
    *,
    status: int = 200,
    since: Microversion = (3, 0),
) -> Endpoint:
    return Endpoint(
        method=method,
        path=f"/v3/{path}",
        run=run,
        kind=kind,
        verb=verb,
        profile=profile,
        status=status,
        mode=Mode.READ if method == "GET" else Mode.WRITE,
        since=since,
    )


_ADMIN, _ANY, _TENANT = Profile.INFRASTRUCTURE, Profile.CATALOGUE, Profile.TENANT
ENDPOINTS: Final = (
    _row("GET", "os-services", list_services, "volume_service", "list", _ADMIN),
    _row("PUT", "os-services/enable", enable, "volume_service", "update", _ADMIN),
    _row("PUT", "os-services/disable", disable, "volume_service", "update", _ADMIN),
    _row("PUT", "os-services/disable-log-reason", disable_with_reason, "volume_service", "update", _ADMIN),
    _row("GET", "os-hosts", list_hosts, "volume_service", "list", _ADMIN),
    _row("GET", "clusters", list_clusters, "volume_service", "list", _ADMIN, since=_CLUSTERS),
    _row("GET", "clusters/detail", list_clusters, "volume_service", "list", _ADMIN, since=_CLUSTERS),
    _row("GET", "clusters/{id}", show_cluster, "volume_service", "show", _ADMIN, since=_CLUSTERS),
    _row("GET", "capabilities/{id}", capabilities, "volume_pool", "show", _ADMIN),
    _row("GET", "resource_filters", filters, "extension", "list", _ANY, since=_FILTERS),
    _row("GET", "messages", list_messages, "volume_message", "list", _TENANT, since=_MESSAGES),
    _row("GET", "messages/{id}", show_message, "volume_message", "show", _TENANT, since=_MESSAGES),
    _row(
        "DELETE",
        "messages/{id}",
        delete_message,
        "volume_message",
        "delete",
        _TENANT,
        status=204,
        since=_MESSAGES,
    ),
)
