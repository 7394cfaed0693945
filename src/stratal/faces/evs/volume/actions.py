"""The actions of volumes: `POST /v3/volumes/{id}/action`."""

from typing import Annotated, Any, Final

import msgspec

from stratal.faces.evs import machines
from stratal.faces.evs.call import Action, Call, decoded, stamp
from stratal.faces.evs.faults import Fault, bad_request
from stratal.faces.evs.volume import lists
from stratal.faces.evs.volume.types import type_named
from stratal.identity import authorised
from stratal.kernel.kind import Profile
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import uuids_of
from stratal.storage.block.states import VolumeStatus
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_volume.model import BS_VOLUME, LARGEST_MB
from stratal.storage.images import ImageFormat
from stratal.storage.vm_image.model import VM_IMAGE

Word = Annotated[str, msgspec.Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)")]


ImageName = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]


class Extend(msgspec.Struct, kw_only=True):
    new_size: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_MB // 1024)]


class Attach(msgspec.Struct, kw_only=True):
    mountpoint: Word = ""
    instance_uuid: Word | None = None
    host_name: Word | None = None
    mode: Word = "rw"


class Detach(msgspec.Struct, kw_only=True):
    attachment_id: str | None = None


class Revert(msgspec.Struct, kw_only=True):
    snapshot_id: str


class Bootable(msgspec.Struct, kw_only=True):
    bootable: bool | str


class ReadOnly(msgspec.Struct, kw_only=True):
    readonly: bool | str


class Retype(msgspec.Struct, kw_only=True):
    new_type: str
    migration_policy: str | None = None


class ResetStatus(msgspec.Struct, kw_only=True):
    status: str | None = None
    attach_status: str | None = None
    migration_status: str | None = None


class UploadImage(msgspec.Struct, kw_only=True):
    image_name: ImageName
    force: bool | str | None = None
    container_format: str | None = None
    disk_format: str | None = None
    visibility: str | None = None
    protected: bool | str | None = None


class ImageMetadata(msgspec.Struct, kw_only=True):
    metadata: dict[str, str]


class ImageMetadataKey(msgspec.Struct, kw_only=True):
    key: str


def _id(transaction: Transaction, call: Call) -> int:
    return call.id_of(transaction, BS_VOLUME, call.parts["id"], "Volume")


# -- attaching ---------------------------------------------------------------------------------------


def reserve(transaction: Transaction, call: Call, arguments: Any) -> None:
    call.services.storage.block.attachments.reserve_volume(transaction, call.access, _id(transaction, call))


def unreserve(transaction: Transaction, call: Call, arguments: Any) -> None:
    call.services.storage.block.attachments.unreserve_volume(transaction, call.access, _id(transaction, call))


def begin_detaching(transaction: Transaction, call: Call, arguments: Any) -> None:
    call.services.storage.block.attachments.begin_detaching(transaction, call.access, _id(transaction, call))


def roll_detaching(transaction: Transaction, call: Call, arguments: Any) -> None:
    call.services.storage.block.attachments.roll_detaching(transaction, call.access, _id(transaction, call))


def attach(transaction: Transaction, call: Call, arguments: Any) -> None:
    body = decoded(arguments, Attach, "os-attach")
    if (body.instance_uuid is None) == (body.host_name is None):
        raise bad_request("Invalid request to attach volume to an invalid target")
    if body.mode not in ("rw", "ro"):
        raise bad_request(
            "Invalid request to attach volume with an invalid mode. Attaching mode should be 'rw' or 'ro'"
        )
    id = _id(transaction, call)
    machine = machines.machine_named(transaction, call, body.instance_uuid)
    if machine is not None:
        machines.attach(transaction, call, id, machine, mode=body.mode, verb="attach", device=body.mountpoint)
        return
    call.services.storage.block.attachments.attach(
        transaction,
        call.access,
        id,
        instance_uuid=body.instance_uuid,
        host_name=body.host_name,
        mountpoint=body.mountpoint,
        mode=body.mode,
    )


def detach(transaction: Transaction, call: Call, arguments: Any) -> None:
    _detach(transaction, call, decoded(arguments or {}, Detach, "os-detach"), force=False)


def _detach(transaction: Transaction, call: Call, body: Detach, *, force: bool) -> None:
    id = _id(transaction, call)
    in_machine = machines.of_volumes(transaction, [id]).get(id)
    if in_machine is not None and body.attachment_id in (None, in_machine.uuid):
        call.services.storage.block.volumes.show(transaction, call.access, id, lock=True)
        machines.detach(transaction, call, in_machine)
        return
    call.services.storage.block.attachments.detach(
        transaction, call.access, id, body.attachment_id, force=force
    )


# -- size, content, type -----------------------------------------------------------------------------


def extend(transaction: Transaction, call: Call, arguments: Any) -> None:
    body = decoded(arguments, Extend, "os-extend")
    attached = call.microversion >= (3, 42) or call.documented
    id = _id(transaction, call)
    call.services.storage.block.volumes.extend(transaction, call.access, id, body.new_size, attached=attached)


def revert(transaction: Transaction, call: Call, arguments: Any) -> None:
    body = decoded(arguments, Revert, "revert")
    block = call.services.storage.block
    id = _id(transaction, call)
    # in this order, and with the caller's rights: ids of others are ids of nothing
    block.volumes.show(transaction, call.access, id, lock=True)
    snapshot_id = call.id_of(transaction, BS_SNAP, body.snapshot_id, "Snapshot")
    block.snapshots.show(transaction, call.access, snapshot_id)
    block.volumes.revert(transaction, call.access, id, snapshot_id, latest_only=True)


def retype(transaction: Transaction, call: Call, arguments: Any) -> None:
    body = decoded(arguments, Retype, "os-retype")
    if body.migration_policy not in (None, "never", "on-demand"):
        raise bad_request("migration_policy must be 'on-demand' or 'never'.")
    type_ = type_named(transaction, call, body.new_type)
    # with either policy: what would have to be moved is refused, by name, before anything is changed
    call.services.storage.block.volumes.retype(transaction, call.access, _id(transaction, call), type_.id)


def upload_image(transaction: Transaction, call: Call, arguments: Any) -> dict[str, Any]:
    """An image of what the volume holds now. It shares the volume's data, so nothing is copied."""
    body = decoded(arguments, UploadImage, "os-volume_upload_image")
    format = body.disk_format or "raw"
    if (body.container_format or "bare") != "bare":
        raise bad_request(f"container_format {body.container_format!s:.32} is not supported, 'bare' is.")
    if format not in _DISK_FORMATS:
        raise bad_request(f"disk_format {format:.32} is not one of {', '.join(_DISK_FORMATS)}.")
    if body.visibility not in (None, "private", "shared", "public"):
        raise bad_request("visibility must be 'public', 'private' or 'shared'.")
    if body.protected is not None and lists.is_true(body.protected):
        raise bad_request("Images cannot be protected from deletion here.")
    shared = body.visibility == "public" and call.microversion >= (3, 1)
    if shared and "system_admin" not in call.access.roles:
        raise Fault(403, "Policy doesn't allow volume_extension:volume_actions:upload_public.")
    volume, image = call.services.storage.block.uploads.upload(
        transaction,
        authorised(call.access, "vm_image", "create", Profile.TENANT),
        _id(transaction, call),
        name=body.image_name,
        format=ImageFormat(format),
        shared=shared,
        force=body.force is not None and lists.is_true(body.force),
    )
    shown: dict[str, Any] = {
        "id": volume.uuid,
        "updated_at": stamp(volume.updated_at or volume.created_at),
        "status": "uploading",
        "display_description": volume.description,
        "size": volume.size_gb,
        "volume_type": {"id": volume.policy_uuid, "name": volume.policy_name},
        "image_id": uuids_of(transaction, VM_IMAGE, [image.id])[image.id],
        "container_format": "bare",
        "disk_format": format,
        "image_name": body.image_name,
    }
    if call.microversion >= (3, 1):
        shown |= {"visibility": body.visibility or "private", "protected": False}
    return {"os-volume_upload_image": shown}


# -- marks -------------------------------------------------------------------------------------------


def set_bootable(transaction: Transaction, call: Call, arguments: Any) -> None:
    bootable = lists.is_true(decoded(arguments, Bootable, "os-set_bootable").bootable)
    id = _id(transaction, call)
    service = call.services.storage.block.volumes
    service.show(transaction, call.access, id, lock=True)
    service.put(transaction, call.access, id, "set-bootable", bootable=bootable)


def set_readonly(transaction: Transaction, call: Call, arguments: Any) -> None:
    readonly = lists.is_true(decoded(arguments, ReadOnly, "os-update_readonly_flag").readonly)
    id = _id(transaction, call)
    pairs = {"readonly": str(readonly)}
    call.services.storage.block.volumes.set_metadata(transaction, call.access, id, pairs, replace=False)


def set_image_metadata(transaction: Transaction, call: Call, arguments: Any) -> dict[str, Any]:
    pairs = decoded(arguments, ImageMetadata, "os-set_image_metadata").metadata
    merged = call.services.storage.block.volumes.set_image_metadata(
        transaction, call.access, _id(transaction, call), pairs
    )
    return {"metadata": merged}


def unset_image_metadata(transaction: Transaction, call: Call, arguments: Any) -> None:
    key = decoded(arguments, ImageMetadataKey, "os-unset_image_metadata").key
    call.services.storage.block.volumes.drop_image_metadata(
        transaction, call.access, _id(transaction, call), key
    )


def show_image_metadata(transaction: Transaction, call: Call, arguments: Any) -> dict[str, Any]:
    found = call.services.storage.block.volumes.show(transaction, call.access, _id(transaction, call))
    return {"metadata": found.image_metadata}


# -- administrators ----------------------------------------------------------------------------------


def reset_status(transaction: Transaction, call: Call, arguments: Any) -> None:
    body = decoded(arguments, ResetStatus, "os-reset_status")
    words = [each.value for each in VolumeStatus]
    if body.status is None and body.attach_status is None and body.migration_status is None:
        raise bad_request("Must specify 'status', 'attach_status', or 'migration_status' for update.")
    if body.status is not None and body.status.lower() not in words:
        raise bad_request("Must specify a valid status", code="EVS.5400")
    if body.attach_status not in (None, "detached", "attached"):
        raise bad_request("Must specify a valid attach status")
    status = None if body.status is None else VolumeStatus(body.status.lower())
    id = _id(transaction, call)
    call.services.storage.block.volumes.set_condition(
        transaction, call.access, id, status, detached=body.attach_status == "detached"
    )


def force_delete(transaction: Transaction, call: Call, arguments: Any) -> None:
    id = _id(transaction, call)
    call.services.storage.block.volumes.delete(transaction, call.access, id, force=True)


def force_detach(transaction: Transaction, call: Call, arguments: Any) -> None:
    _detach(transaction, call, decoded(arguments or {}, Detach, "os-force_detach"), force=True)


_DISK_FORMATS: Final = ("raw", "qcow2")
_ADMIN = Profile.INFRASTRUCTURE
ACTIONS: Final = {
    "os-reserve": Action(run=reserve, verb="reserve"),
    "os-unreserve": Action(run=unreserve, verb="unreserve"),
    "os-begin_detaching": Action(run=begin_detaching, verb="begin-detaching"),
    "os-roll_detaching": Action(run=roll_detaching, verb="roll-detaching"),
    "os-attach": Action(run=attach, verb="attach"),
    "os-detach": Action(run=detach, verb="detach"),
    "os-extend": Action(run=extend, verb="extend"),
    "revert": Action(run=revert, verb="rollback", since=(3, 40), conflict=409),
    "os-retype": Action(run=retype, verb="retype"),
    "os-volume_upload_image": Action(run=upload_image, verb="upload-image"),
    "os-set_bootable": Action(run=set_bootable, verb="set-bootable", status=200),
    "os-update_readonly_flag": Action(run=set_readonly, verb="set-readonly"),
    "os-set_image_metadata": Action(run=set_image_metadata, verb="set-metadata", status=200),
    "os-unset_image_metadata": Action(run=unset_image_metadata, verb="set-metadata", status=200),
    "os-show_image_metadata": Action(run=show_image_metadata, verb="set-metadata", status=200),
    "os-reset_status": Action(run=reset_status, verb="reset-status", profile=_ADMIN),
    "os-force_delete": Action(run=force_delete, verb="force-delete", profile=_ADMIN),
    "os-force_detach": Action(run=force_detach, verb="force-detach", profile=_ADMIN),
}
