"""The shapes of Huawei's answers, which have no nulls where its SDK wants texts."""

from collections.abc import Mapping
from typing import Any, Final

from stratal.faces.evs.call import Call, stamp
from stratal.faces.evs.faults import Fault
from stratal.faces.evs.volume import wire
from stratal.faces.evs.volume.wire import Owners, huawei_status
from stratal.storage.block.views import SnapshotView, VolumeView
from stratal.storage.bs_volume.model import MIB

_LONGEST_BYTES: Final = 255


def check_bytes(**texts: str | None) -> None:
    """What the SDK's own descriptions allow. Raises EVS.1003, EVS.1004."""
    for field, code in (("name", "EVS.1003"), ("description", "EVS.1004")):
        text = texts.get(field)
        if text is not None and len(text.encode()) > _LONGEST_BYTES:
            raise Fault(400, f"{field} has more than {_LONGEST_BYTES} bytes.", code=code)


def volume(call: Call, found: VolumeView, owners: Owners) -> dict[str, Any]:
    """A disk. `links` lead to the native path."""
    metadata = dict(found.metadata)
    return {
        "id": found.uuid,
        "name": found.name or "",
        "description": found.description or "",
        "status": huawei_status(found.status),
        "size": found.size_gb,
        "volume_type": found.policy_name,
        "availability_zone": call.services.zone,
        "bootable": "true" if found.bootable else "false",
        "multiattach": found.multiattach,
        "shareable": "true" if found.multiattach else "false",
        "encrypted": False,
        "metadata": metadata,
        "volume_image_metadata": found.image_metadata,
        "tags": found.tags,
        "attachments": [
            {name: value or "" for name, value in wire.attachment(each, found).items()}
            for each in owners.attachments(found)
        ],
        "snapshot_id": found.snapshot_uuid or "",
        "source_volid": found.source_volume_uuid or "",
        "consistencygroup_id": "",
        "replication_status": "disabled",
        "os-volume-replication:extended_status": "",
        "os-vol-mig-status-attr:migstat": "",
        "os-vol-mig-status-attr:name_id": "",
        "os-vol-host-attr:host": "",
        "os-vol-tenant-attr:tenant_id": owners.project(found.project_id),
        "user_id": owners.user(found.user_id) or "",
        "service_type": "EVS",
        "serial_number": found.serial,
        "iops": {"frozened": False, "id": found.uuid, "total_val": found.max_total_iops},
        "throughput": {
            "frozened": False,
            "id": found.uuid,
            "total_val": found.max_total_bw_bps // MIB,
        },
        "wwn": "",
        "enterprise_project_id": "0",
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.updated_at or found.created_at),
        "links": wire.links(call, "volumes", found.uuid),
    }


def snapshot(call: Call, found: SnapshotView, owners: Owners) -> dict[str, Any]:
    """A snapshot of v2: as on the native path, with what the SDK adds."""
    shown = wire.snapshot(call, found, owners)
    return {**shown, "name": found.name or "", "service_type": "EVS"}


def standard(call: Call, found: SnapshotView, owners: Owners) -> dict[str, Any]:
    """A snapshot of v5. All snapshots here share what did not change, and can be used at once."""
    return {
        "id": found.uuid,
        "name": found.name or "",
        "description": found.description or "",
        "status": huawei_status(found.status),
        "size": found.size_gb,
        "volume_id": found.volume_uuid,
        "project_id": owners.project(found.project_id),
        "enterprise_project_id": "0",
        "availability_zone": call.services.zone,
        "encrypted": False,
        "cmk_id": "",
        "encrypt_algorithm": "",
        "category": "standard",
        "instant_access": True,
        "instant_access_retention_at": "",
        "retention_at": "",
        "incremental": True,
        "snapshot_type": "user",
        "snapshot_chains": [],
        "snapshot_group_id": found.group_snapshot_uuid or "",
        "progress": wire.progress(found),
        "tags": found.tags,
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.updated_at or found.created_at),
    }


def job(id: str, kind: str, status: str, times: Mapping[str, str], problem: str | None) -> dict[str, Any]:
    failed = status == "FAIL"
    return {
        "job_id": id,
        "job_type": kind,
        "status": status,
        **times,
        "error_code": "EVS.2024" if failed else "",
        "fail_reason": (problem or "The volume is in error.") if failed else "",
    }
