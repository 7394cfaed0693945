"""Quotas, limits, availability zones, extensions and pools."""

from typing import Annotated, Any, Final

import msgspec

from stratal.faces.evs.call import Call, Endpoint, Mode
from stratal.faces.evs.faults import bad_request, not_found
from stratal.faces.evs.volume import lists
from stratal.identity.project.model import PROJECT, ProjectUpdate
from stratal.kernel.kind import Profile
from stratal.kernel.transaction import Transaction
from stratal.storage.block.limits import DEFAULT_CLASS, NO_LIMIT, Limits, Usage
from stratal.storage.block.model import GIB, MB_PER_GB

Limit = Annotated[int, msgspec.Meta(ge=-1, le=2**31 - 1)]


class QuotaSet(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    volumes: Limit | None = None
    snapshots: Limit | None = None
    gigabytes: Limit | None = None
    per_volume_gigabytes: Limit | None = None
    groups: Limit | None = None
    #: there are no backups yet, so that nothing can be limited
    backups: Limit | None = None
    backup_gigabytes: Limit | None = None
    force: bool | None = None
    tenant_id: str | None = None


# -- quotas ------------------------------------------------------------------------------------------


def _target(transaction: Transaction, call: Call) -> int:
    """The project that a quota is of: one's own, or for administrators any. Others are not there."""
    id = call.id_of(transaction, PROJECT, call.parts["id"], "Project")
    if id != call.access.project_id and "system_admin" not in call.access.roles:
        raise not_found("Project", call.parts["id"])
    return id


def _gigabytes(transaction: Transaction, call: Call, project_id: int) -> int:
    project = call.services.identity.projects.store.get(transaction, project_id, labels=False)
    quota_mb = 0 if project is None else project.spec.storage_mb_quota
    return quota_mb // MB_PER_GB if quota_mb else NO_LIMIT


def quota_set(limits: Limits, usage: Usage | None, gigabytes: int) -> dict[str, Any]:
    limited = {
        "volumes": (limits.volumes, usage.volumes if usage else 0),
        "snapshots": (limits.snapshots, usage.snapshots if usage else 0),
        "gigabytes": (gigabytes, usage.gigabytes if usage else 0),
        "per_volume_gigabytes": (limits.per_volume_gigabytes, 0),
        "groups": (limits.groups, usage.groups if usage else 0),
        "backups": (NO_LIMIT, 0),
        "backup_gigabytes": (NO_LIMIT, 0),
    }
    if usage is None:
        return {name: limit for name, (limit, _) in limited.items()}
    return {name: {"limit": limit, "in_use": used, "reserved": 0} for name, (limit, used) in limited.items()}


def show_quota(transaction: Transaction, call: Call) -> dict[str, Any]:
    project_id = _target(transaction, call)
    service = call.services.storage.block.limits
    with_usage = lists.is_true(call.parameter("usage") or "false")
    usage = service.usage(transaction, project_id) if with_usage else None
    gigabytes = _gigabytes(transaction, call, project_id)
    shown = quota_set(service.show(transaction, project_id), usage, gigabytes)
    return {"quota_set": {"id": call.parts["id"], **shown}}


def default_quota(transaction: Transaction, call: Call) -> dict[str, Any]:
    limits = call.services.storage.block.limits.show(transaction, DEFAULT_CLASS)
    return {"quota_set": {"id": call.parts["id"], **quota_set(limits, None, NO_LIMIT)}}


def change_quota(transaction: Transaction, call: Call) -> dict[str, Any]:
    body = call.under("quota_set", QuotaSet)
    project_id = call.id_of(transaction, PROJECT, call.parts["id"], "Project")
    service = call.services.storage.block.limits
    if body.backups not in (None, NO_LIMIT) or body.backup_gigabytes not in (None, NO_LIMIT):
        raise bad_request("There are no backups here that could be limited.")
    if body.gigabytes == 0:
        raise bad_request("gigabytes must be -1 for no limit, or at least 1.")
    if body.gigabytes is not None:
        quota_mb = 0 if body.gigabytes == NO_LIMIT else body.gigabytes * MB_PER_GB
        call.services.identity.projects.update(
            transaction, call.access, project_id, ProjectUpdate(storage_mb_quota=quota_mb)
        )
    values = {name: value for name in Limits.__struct_fields__ if (value := getattr(body, name)) is not None}
    limits = service.change(transaction, project_id, values)
    return {"quota_set": quota_set(limits, None, _gigabytes(transaction, call, project_id))}


def reset_quota(transaction: Transaction, call: Call) -> None:
    project_id = call.id_of(transaction, PROJECT, call.parts["id"], "Project")
    call.services.storage.block.limits.reset(transaction, project_id)
    call.services.identity.projects.update(
        transaction, call.access, project_id, ProjectUpdate(storage_mb_quota=0)
    )


def absolute(transaction: Transaction, call: Call) -> dict[str, Any]:
    project_id = call.access.project_id or 0
    service = call.services.storage.block.limits
    limits, usage = service.show(transaction, project_id), service.usage(transaction, project_id)
    shown = {
        "maxTotalVolumes": limits.volumes,
        "maxTotalSnapshots": limits.snapshots,
        "maxTotalVolumeGigabytes": _gigabytes(transaction, call, project_id),
        "maxTotalBackups": NO_LIMIT,
        "maxTotalBackupGigabytes": NO_LIMIT,
        "totalVolumesUsed": usage.volumes,
        "totalSnapshotsUsed": usage.snapshots,
        "totalGigabytesUsed": usage.gigabytes,
        "totalBackupsUsed": 0,
        "totalBackupGigabytesUsed": 0,
    }
    return {"limits": {"rate": [], "absolute": shown}}


# -- what there is -----------------------------------------------------------------------------------


def zones(transaction: Transaction, call: Call) -> dict[str, Any]:
    zone = {"zoneName": call.services.zone, "zoneState": {"available": True}}
    return {"availabilityZoneInfo": [zone]}


def pools(transaction: Transaction, call: Call) -> dict[str, Any]:
    detail = lists.is_true(call.parameter("detail") or "false")
    shown: list[dict[str, Any]] = []
    for policy in call.services.storage.bs_policies.find(transaction, call.access):
        name = f"{call.services.node_name}@{policy.spec.name}#{policy.spec.name}"
        pool: dict[str, Any] = {"name": name}
        if detail:
            total, used = policy.status.total_byte, policy.status.used_byte
            pool["capabilities"] = {
                "volume_backend_name": policy.spec.name,
                "storage_protocol": policy.spec.driver,
                "total_capacity_gb": round(total / GIB, 2),
                "free_capacity_gb": round((total - used) / GIB, 2),
                "allocated_capacity_gb": policy.status.allocated_byte // GIB,
                "thin_provisioning_support": policy.spec.thin_provisioned,
                "QoS_support": True,
                "multiattach": False,
            }
        shown.append(pool)
    return {"pools": shown}


def extensions(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"extensions": [_extension(*each) for each in _EXTENSIONS]}


def extension(transaction: Transaction, call: Call) -> dict[str, Any]:
    for each in _EXTENSIONS:
        if each[0] == call.parts["id"]:
            return {"extension": _extension(*each)}
    raise not_found("Extension", call.parts["id"])


def _extension(alias: str, name: str, text: str) -> dict[str, Any]:
    return {
        "alias": alias,
        "name": name,
        "description": text,
        "updated": "2013-01-01T00:00:00+00:00",
        "links": [],
    }


_EXTENSIONS: Final = (
    ("os-extended-snapshot-attributes", "ExtendedSnapshotAttributes", "Project and progress of snapshots."),
    ("os-types-extra-specs", "TypesExtraSpecs", "Extra specs of types."),
    ("os-volume-type-access", "VolumeTypeAccess", "Whom private types are for."),
    ("os-vol-tenant-attr", "VolumeTenantAttribute", "The project of volumes."),
    ("os-quota-sets", "Quotas", "Quotas of projects."),
    ("os-used-limits", "UsedLimits", "What of the limits is used."),
    ("os-volume-transfer", "VolumeTransfer", "Volumes that go to another project."),
    ("os-availability-zone", "AvailabilityZones", "Availability zones."),
    ("os-admin-actions", "AdminActions", "Actions of administrators."),
    ("os-volume-actions", "VolumeActions", "Actions on volumes."),
    ("os-services", "Services", "Services and their state."),
    ("scheduler-stats", "Scheduler_stats", "Pools."),
    ("qos-specs", "Qos_specs_manage", "QoS specs."),
)


def _row(
    method: str, path: str, run: Any, kind: str, verb: str, profile: Profile, status: int = 200
) -> Endpoint:
    mode = Mode.READ if method == "GET" else Mode.WRITE
    return Endpoint(
        method=method,
        path=f"/v3/{path}",
        run=run,
        kind=kind,
        verb=verb,
        profile=profile,
        status=status,
        mode=mode,
    )


_ADMIN, _ANY = Profile.INFRASTRUCTURE, Profile.CATALOGUE
ENDPOINTS: Final = (
    _row("GET", "os-quota-sets/{id}", show_quota, "volume_limits", "show", _ANY),
    _row("GET", "os-quota-sets/{id}/defaults", default_quota, "volume_limits", "show", _ANY),
    _row("PUT", "os-quota-sets/{id}", change_quota, "volume_limits", "update", _ADMIN),
    _row("DELETE", "os-quota-sets/{id}", reset_quota, "volume_limits", "update", _ADMIN),
    _row("GET", "limits", absolute, "volume_limits", "show", _ANY),
    _row("GET", "os-availability-zone", zones, "availability_zone", "list", _ANY),
    _row("GET", "extensions", extensions, "extension", "list", _ANY),
    _row("GET", "extensions/{id}", extension, "extension", "list", _ANY),
    _row("GET", "scheduler-stats/get_pools", pools, "volume_pool", "list", _ADMIN),
)
