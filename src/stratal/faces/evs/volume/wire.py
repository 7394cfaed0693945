"""The shapes of volumes and snapshots in answers. Called by the endpoints of Block Storage and of Huawei."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stratal.faces.evs import machines
from stratal.faces.evs.call import Call, Microversion, hex_id, stamp
from stratal.identity.project.model import PROJECT
from stratal.identity.user.model import USER
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import uuids_of
from stratal.storage.block.views import AttachmentView, SnapshotView, VolumeView

_GROUPS: Final[Microversion] = (3, 13)
_GROUP_SNAPSHOTS: Final[Microversion] = (3, 14)
_PROVIDER: Final[Microversion] = (3, 21)
_SHARED_TARGETS: Final[Microversion] = (3, 48)
_CLUSTER: Final[Microversion] = (3, 61)
_TYPE_ID: Final[Microversion] = (3, 63)
_CONSUMES: Final[Microversion] = (3, 65)
_SNAPSHOT_USER: Final[Microversion] = (3, 41)


@dataclass(frozen=True, kw_only=True)
class Owners:
    """The ids of projects and users as these APIs write them."""

    projects: Mapping[int, str]
    users: Mapping[int, str]
    #: attachments to machines of this Stratal, by volume
    machines: Mapping[int, AttachmentView] = field(default_factory=dict[int, AttachmentView])

    def project(self, id: int) -> str:
        return self.projects.get(id, "")

    def user(self, id: int | None) -> str | None:
        return self.users.get(id or 0)

    def attachments(self, of: VolumeView) -> list[AttachmentView]:
        """All attachments of a volume: those that are written down, and that to a machine."""
        machine = self.machines.get(of.id)
        return [*of.attachments, *([machine] if machine else [])]


def owners_of(transaction: Transaction, items: Iterable[VolumeView | SnapshotView]) -> Owners:
    """The owners of all that is on a page, in two statements, and the machines in which its volumes are."""
    all_items = list(items)
    in_machines = [
        item.id for item in all_items if isinstance(item, VolumeView) and item.vm_disk_id is not None
    ]
    projects = uuids_of(transaction, PROJECT, [item.project_id for item in all_items])
    users = uuids_of(transaction, USER, [item.user_id for item in all_items])
    return Owners(
        projects={id: hex_id(uuid) for id, uuid in projects.items()},
        users={id: hex_id(uuid) for id, uuid in users.items()},
        machines=machines.of_volumes(transaction, in_machines),
    )


def links(call: Call, collection: str, uuid: str) -> list[dict[str, str]]:
    project = f"{call.project}/" if call.project else ""
    return [
        {"rel": "self", "href": f"{call.base}/v3/{project}{collection}/{uuid}"},
        {"rel": "bookmark", "href": f"{call.base}/{project}{collection}/{uuid}"},
    ]


def volume_summary(call: Call, volume: VolumeView) -> dict[str, Any]:
    return {"id": volume.uuid, "name": volume.name, "links": links(call, "volumes", volume.uuid)}


def volume(call: Call, found: VolumeView, owners: Owners, *, full: bool = True) -> dict[str, Any]:
    """A volume in the version of the request; not `full`: as a creation is answered."""
    version = call.microversion
    shown: dict[str, Any] = {
        "id": found.uuid,
        "status": found.status,
        "size": found.size_gb,
        "availability_zone": call.services.zone,
        "created_at": stamp(found.created_at),
        "updated_at": stamp(found.updated_at),
        "name": found.name,
        "description": found.description,
        "volume_type": found.policy_name,
        "snapshot_id": found.snapshot_uuid,
        "source_volid": found.source_volume_uuid,
        "metadata": found.metadata,
        "links": links(call, "volumes", found.uuid),
        "user_id": owners.user(found.user_id),
        "bootable": "true" if found.bootable else "false",
        "encrypted": False,
        "replication_status": None,
        "consistencygroup_id": None,
        "multiattach": found.multiattach,
        "attachments": [attachment(each, found) for each in owners.attachments(found)],
        "migration_status": None,
    }
    if version >= _GROUPS:
        shown["group_id"] = found.group_uuid
    if version >= _PROVIDER:
        shown["provider_id"] = None
    if version >= _SHARED_TARGETS:
        shown |= {"shared_targets": False, "service_uuid": None}
    if version >= _CLUSTER:
        shown["cluster_name"] = None
    if version >= _TYPE_ID:
        shown["volume_type_id"] = found.policy_uuid
    if version >= _CONSUMES:
        shown["consumes_quota"] = True
    if full:
        shown["os-vol-tenant-attr:tenant_id"] = owners.project(found.project_id)
        if found.image_metadata:
            shown["volume_image_metadata"] = found.image_metadata
        if "system_admin" in call.access.roles:
            shown |= {
                "os-vol-mig-status-attr:migstat": None,
                "os-vol-mig-status-attr:name_id": None,
                "os-vol-host-attr:host": f"{call.services.node_name}@{found.policy_name}",
            }
    return shown


def attachment(each: AttachmentView, of: VolumeView) -> dict[str, Any]:
    return {
        "id": of.uuid,
        "attachment_id": each.uuid,
        "volume_id": of.uuid,
        "server_id": each.instance_uuid,
        "host_name": each.host_name,
        "device": each.mountpoint,
        "attached_at": stamp(each.attached_at),
    }


def snapshot(call: Call, found: SnapshotView, owners: Owners, *, full: bool = True) -> dict[str, Any]:
    """A snapshot in the version of the request; not `full`: as a creation is answered."""
    version = call.microversion
    # the document of Huawei shows a time where Cinder shows that there was no change yet
    updated = found.updated_at or (found.created_at if call.documented else None)
    shown: dict[str, Any] = {
        "id": found.uuid,
        "created_at": stamp(found.created_at),
        "updated_at": stamp(updated),
        "name": found.name,
        "description": found.description,
        "volume_id": found.volume_uuid,
        "status": snapshot_status(call, found),
        "size": found.size_gb,
        "metadata": found.metadata,
    }
    if version >= _GROUP_SNAPSHOTS:
        shown["group_snapshot_id"] = found.group_snapshot_uuid
    if version >= _SNAPSHOT_USER:
        shown["user_id"] = owners.user(found.user_id)
    if version >= _CONSUMES:
        shown["consumes_quota"] = True
    if full:
        shown |= {
            "os-extended-snapshot-attributes:project_id": owners.project(found.project_id),
            "os-extended-snapshot-attributes:progress": progress(found),
        }
    return shown


def snapshot_status(call: Call, found: SnapshotView) -> str:
    return huawei_status(found.status) if call.documented else found.status


def progress(found: SnapshotView) -> str:
    return "0%" if found.status == "creating" else "100%"


def huawei_status(status: str) -> str:
    """The word of Huawei's documents for a status: theirs has `rollbacking`."""
    return _HUAWEI_STATUS.get(status, status)


_HUAWEI_STATUS: Final = {"reverting": "rollbacking", "restoring": "rollbacking", "reserved": "attaching"}
