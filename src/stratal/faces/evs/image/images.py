"""Images: listed, shown, downloaded and deleted. Uploads of volumes make them, and other faces do."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from stratal.faces.evs.call import Call, Dialect, Endpoint, Mode, Reply, hex_id
from stratal.faces.evs.faults import bad_request, not_found
from stratal.faces.evs.volume import lists
from stratal.identity.project.model import PROJECT
from stratal.kernel.kind import Profile
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import id_of_uuid, uuids_of
from stratal.storage.block.model import GIB
from stratal.storage.vm_image.download import Download, DownloadFormat
from stratal.storage.vm_image.model import VM_IMAGE, ImageType, UploadState, VmImageSpec, VmImageStatus

Image = Resource[VmImageSpec, VmImageStatus]

_SORTED: Final = ("created_at", "updated_at", "name", "id", "size", "status", "disk_format")
_FILTERS: Final = (
    "name",
    "status",
    "disk_format",
    "container_format",
    "owner",
    "visibility",
    "id",
    "min_disk",
)
_STATUS: Final = {
    UploadState.WAITING: "queued",
    UploadState.UPLOADING: "saving",
    UploadState.CONVERTING: "importing",
    UploadState.FINISHED: "active",
    UploadState.FAILED: "killed",
}
_DEFAULT_LIMIT: Final = 25
"""Images of one page where a client says no number, as Glance has it."""


def _version(call: Call) -> dict[str, Any]:
    links = [{"rel": "self", "href": f"{call.base}/image/v2/"}]
    return {"id": "v2.9", "status": "CURRENT", "links": links}


def versions(transaction: Transaction, call: Call) -> Reply:
    return Reply(body={"versions": [_version(call)]}, status=300)


def version(transaction: Transaction, call: Call) -> dict[str, Any]:
    return {"versions": [_version(call)]}


# -- shapes ------------------------------------------------------------------------------------------


def _time(moment: Any) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(image: Image) -> str:
    return "deleted" if image.spec.deletion_begin is not None else _STATUS[image.status.upload_state]


def _shown(transaction: Transaction, images: list[Image]) -> list[dict[str, Any]]:
    ids = uuids_of(transaction, VM_IMAGE, [image.id for image in images])
    owners = uuids_of(transaction, PROJECT, [image.spec.project_id for image in images])
    return [
        _image(image, ids[image.id], hex_id(owners.get(image.spec.project_id or 0, ""))) for image in images
    ]


def _image(image: Image, uuid: str, owner: str) -> dict[str, Any]:
    virtual = image.status.size_byte
    checksum = image.status.checksum or ""
    return {
        "id": uuid,
        "name": image.spec.name,
        "status": _status(image),
        "visibility": "public" if image.spec.shared else "private",
        "owner": owner,
        "disk_format": image.spec.format.value,
        "container_format": "bare",
        # what a download in raw gives
        "size": virtual or image.spec.size_byte or None,
        "virtual_size": virtual or None,
        "min_disk": -(-virtual // GIB),
        "min_ram": 0,
        "protected": False,
        "os_hidden": False,
        "checksum": None,
        "os_hash_algo": "sha256" if checksum else None,
        "os_hash_value": checksum.removeprefix("sha256:") or None,
        "tags": [],
        "created_at": _time(image.spec.created_at),
        "updated_at": _time(image.spec.updated_at),
        "self": f"/v2/images/{uuid}",
        "file": f"/v2/images/{uuid}/file",
        "schema": "/v2/schemas/image",
        **({"description": image.spec.description} if image.spec.description else {}),
    }


# -- calls -------------------------------------------------------------------------------------------


def list_all(transaction: Transaction, call: Call) -> dict[str, Any]:
    """The project's images and those that are shared, filtered, sorted and in pages."""
    service = call.services.storage.images.service
    # whatever the caller's reach: a list is of the project, as in the original
    found = Store(VM_IMAGE).find(transaction, service.own(call.access), labels=False)
    shown = [
        each
        for each in _shown(transaction, [image for image in found if image.spec.type is ImageType.DISK])
        if each["status"] != "deleted"
    ]
    for name, value in call.query:
        if name in _FILTERS:
            wanted = value.removeprefix("in:").split(",") if value.startswith("in:") else [value]
            shown = [each for each in shown if str(each[name]) in wanted]
    for key, descending in reversed(_order(call)):
        shown.sort(key=lambda each, key=key: (each[key] is None, each[key]), reverse=descending)
    asked = lists.limit_of(call) if call.parameter("limit") else _DEFAULT_LIMIT
    if marker := call.parameter("marker"):
        ids = [each["id"] for each in shown]
        if marker not in ids:
            raise not_found("Image", marker)
        shown = shown[ids.index(marker) + 1 :]
    kept = [(name, value) for name, value in call.query if name != "marker"]
    first = f"?{urlencode(kept)}" if kept else ""
    body: dict[str, Any] = {
        "images": shown[:asked],
        "first": f"/v2/images{first}",
        "schema": "/v2/schemas/images",
    }
    if 0 < asked < len(shown):
        body["next"] = f"/v2/images?{urlencode([*kept, ('marker', shown[asked - 1]['id'])])}"
    return body


def _order(call: Call) -> list[tuple[str, bool]]:
    """Keys, and whether each is descending; newest first where nothing is said."""
    if text := call.parameter("sort"):
        pairs = [part.strip().partition(":") for part in text.split(",")]
        wanted = [(key, direction or "desc") for key, _, direction in pairs]
    else:
        keys = [value for name, value in call.query if name == "sort_key"] or ["created_at"]
        ways = [value for name, value in call.query if name == "sort_dir"]
        wanted = [(key, ways[i] if i < len(ways) else "desc") for i, key in enumerate(keys)]
    for key, direction in wanted:
        if key not in _SORTED or direction not in ("asc", "desc"):
            raise bad_request(f"Unable to sort by {key:.64}:{direction:.16}.")
    return [(key, direction == "desc") for key, direction in wanted]


def _id(transaction: Transaction, call: Call) -> int:
    id = id_of_uuid(transaction, VM_IMAGE, call.parts["id"])
    if id is None:
        raise not_found("Image", call.parts["id"])
    call.uuids[id] = call.parts["id"]
    return id


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    image = call.services.storage.images.service.show(transaction, call.access, _id(transaction, call))
    return _shown(transaction, [image])[0]


def delete(transaction: Transaction, call: Call) -> None:
    """Volumes that were made of it keep their data."""
    call.services.storage.images.service.delete(transaction, call.access, _id(transaction, call))


def download(call: Call) -> Reply:
    """What the image holds, in the format that it is said to have."""
    id = call.services.database.read(lambda transaction: _id(transaction, call))
    image = call.services.database.read(
        lambda transaction: call.services.storage.images.service.show(transaction, call.access, id)
    )
    format = DownloadFormat.QCOW2 if image.spec.format == "qcow2" else DownloadFormat.RAW
    opened = call.services.storage.images.downloads.open(call.access, id, format)
    return Reply(stream=_sending(opened), headers={"content-length": str(opened.length)})


async def _sending(download: Download) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    chunks = download.chunks(0, download.length)
    try:
        while chunk := await loop.run_in_executor(None, partial(next, chunks, b"")):
            yield chunk
    finally:
        await loop.run_in_executor(None, download.close)


def _row(method: str, path: str, run: Any, verb: str, status: int = 200, **more: Any) -> Endpoint:
    return Endpoint(
        method=method,
        path=f"/image{path}",
        run=run,
        kind="vm_image",
        verb=verb,
        profile=Profile.TENANT,
        status=status,
        dialect=Dialect.GLANCE,
        **more,
    )


ENDPOINTS: Final = (
    _row("GET", "", versions, "show", public=True),
    _row("GET", "/versions", version, "show", public=True),
    _row("GET", "/v2", version, "show", public=True),
    _row("GET", "/v2/images", list_all, "list"),
    _row("GET", "/v2/images/{id}", show, "show"),
    _row("DELETE", "/v2/images/{id}", delete, "delete", 204, mode=Mode.WRITE),
    _row("GET", "/v2/images/{id}/file", download, "show", mode=Mode.THREAD),
)
