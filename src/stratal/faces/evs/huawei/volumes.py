"""Disks: `/v2/{project}/cloudvolumes` and `/v2.1/{project}/cloudvolumes`, and the jobs that come of them."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, false, or_, true

from stratal.faces.evs import machines
from stratal.faces.evs.call import Call, Dialect, Endpoint, Mode, decoded, stamp
from stratal.faces.evs.faults import Fault
from stratal.faces.evs.huawei import wire
from stratal.faces.evs.volume import lists
from stratal.faces.evs.volume import volumes as native
from stratal.faces.evs.volume.actions import Extend
from stratal.faces.evs.volume.snapshots import Metadata, Name
from stratal.faces.evs.volume.types import type_named
from stratal.faces.evs.volume.volumes import VolumeCreate, id_of, new_volume
from stratal.faces.evs.volume.wire import owners_of
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.jobs import Job, JobKind
from stratal.storage.block.model import ATTACHMENT
from stratal.storage.bs_volume.model import BS_VOLUME, MIB

MOST_AT_ONCE: Final = 100
_UNSET: Final = msgspec.UNSET


Iops = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Throughput = Annotated[int, msgspec.Meta(ge=0, le=2**20)]


class DiskCreate(VolumeCreate, kw_only=True):
    count: int = 1
    tags: Metadata | None = None
    enterprise_project_id: str | None = None
    iops: Iops | None = None
    throughput: Throughput | None = None


class DiskUpdate(msgspec.Struct, kw_only=True):
    name: Name | msgspec.UnsetType = _UNSET
    description: Name | msgspec.UnsetType = _UNSET


class Retype(msgspec.Struct, kw_only=True):
    new_type: str
    iops: Iops | None = None
    throughput: Throughput | None = None


class Tag(msgspec.Struct, kw_only=True):
    key: str
    value: str = ""


class TagAction(msgspec.Struct, kw_only=True):
    action: str
    tags: list[Tag]


# -- disks -------------------------------------------------------------------------------------------


def create(transaction: Transaction, call: Call) -> dict[str, Any]:
    """One or several disks, all or none. With the same X-Client-Token, the same ones again."""
    body = call.under("volume", DiskCreate)
    token = _client_token(call)
    jobs, volumes = call.services.storage.block.jobs, call.services.storage.block.volumes
    if token is not None and (earlier := jobs.repeated(transaction, call.access, token)) is not None:
        return {"job_id": earlier.uuid, "volume_ids": [each.uuid for each in earlier.volumes]}
    if not 1 <= body.count <= MOST_AT_ONCE:
        raise Fault(400, f"count must be from 1 to {MOST_AT_ONCE}.", code="EVS.5400")
    new = replace(
        new_volume(transaction, call, body),
        iops=body.iops,
        bytes_per_second=bytes_of(body.throughput),
    )
    wire.check_bytes(name=new.name, description=new.description)
    made = [
        volumes.create(
            transaction,
            call.access,
            replace(new, name=_numbered(new.name, number, body.count)),
        )
        for number in range(1, body.count + 1)
    ]
    for each in made:
        if body.tags:
            volumes.set_tags(transaction, call.access, each.id, add=body.tags, drop=())
    kind = JobKind.CREATE if body.count == 1 else JobKind.BATCH_CREATE
    job = jobs.write_down(transaction, call.access, kind, [each.id for each in made], client_token=token)
    return {"job_id": job, "volume_ids": [each.uuid for each in made]}


def bytes_of(throughput: int | None) -> int | None:
    """Huawei's MiB of a second."""
    return None if throughput is None else throughput * MIB


def _numbered(name: str | None, number: int, count: int) -> str | None:
    return name if count == 1 or name is None else f"{name}-{number:04d}"


def _client_token(call: Call) -> str | None:
    token = call.headers.get("x-client-token")
    if token is None:
        return None
    try:
        return str(UUID(token))
    except ValueError:
        raise Fault(400, "X-Client-Token must be a UUID.", code="EVS.2218") from None


_IGNORED: Final = frozenset(
    ("service_type", "dedicated_storage_id", "dedicated_storage_name", "enterprise_project_id")
)


def list_detail(transaction: Transaction, call: Call) -> dict[str, Any]:
    lists.check_limit_of_documents(call)
    columns = BS_VOLUME.tables.spec.c
    zone = call.services.zone

    def of_server(value: str) -> ColumnElement[bool]:
        written = (
            ATTACHMENT.select()
            .with_only_columns(ATTACHMENT.c.volume_id)
            .where(ATTACHMENT.c.instance_uuid == value)
        )
        return or_(columns.id.in_(written), columns.id.in_(machines.volumes_in(value)))

    asked = lists.paging(
        transaction,
        call,
        views.VOLUME_FIELDS,
        id=columns.id,
        what="Volume",
        locate=views.volume_position,
        extra={
            "metadata": native.metadata_filter,
            "not_metadata": lambda value: ~native.metadata_filter(value),
            "availability_zone": lambda value: true() if value == zone else false(),
            "ids": lambda value: columns.uuid.in_(_ids(value)),
            "server_id": of_server,
            **{name: (lambda value: true()) for name in _IGNORED},
        },
    )
    within = call.services.storage.block.volumes.within(call.access)
    where = [*within, *asked.where]
    found = views.volumes(
        transaction, *where, order_by=asked.order_by, limit=asked.limit, offset=asked.offset
    )
    owners = owners_of(transaction, found)
    body = lists.page(
        call,
        "volumes",
        found,
        lambda each: wire.volume(call, each, owners),
        asked,
        last_id=found[-1].uuid if found else None,
        count=lambda: 0,
    )
    return {"count": views.count_volumes(transaction, *where), **body}


def _ids(text: str) -> list[str]:
    """`['a','b']` or `a,b`, as the SDK's users write it."""
    return [part.strip(" '\"").lower() for part in text.strip("[] ").split(",")][:60]


def show(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.storage.block.volumes.show(transaction, call.access, id_of(transaction, call))
    return {"volume": wire.volume(call, found, owners_of(transaction, [found]))}


def update(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = id_of(transaction, call)
    body = call.under("volume", DiskUpdate)
    changes: dict[str, str | None] = {}
    for name in ("name", "description"):
        said = getattr(body, name)
        if not isinstance(said, msgspec.UnsetType):
            changes[name] = said
    wire.check_bytes(**changes)
    found = call.services.storage.block.volumes.update(transaction, call.access, id, changes)
    return wire.volume(call, found, owners_of(transaction, [found]))


def delete(transaction: Transaction, call: Call) -> dict[str, Any]:
    """A disk with all of its snapshots, as Huawei's documents say of this call; or into the bin."""
    id = id_of(transaction, call)
    block = call.services.storage.block
    # a machine's disk is refused by the deletion, also before the volume's status shows that it is one
    in_machine = bool(machines.of_volumes(transaction, [id]))
    if in_machine or not block.recycle_bin.put(transaction, call.access, id):
        block.volumes.delete(transaction, call.access, id, cascade=True)
    return job_of(transaction, call, JobKind.DELETE, id)


def act(transaction: Transaction, call: Call) -> dict[str, Any]:
    """`os-extend` is the one action of this path."""
    if "os-extend" not in call.object:
        raise Fault(400, "There is no such action: os-extend is the one.", code="EVS.5400")
    id = id_of(transaction, call)
    size = decoded(call.object["os-extend"], Extend, "os-extend").new_size
    call.services.storage.block.volumes.extend(transaction, call.access, id, size, attached=True)
    return job_of(transaction, call, JobKind.EXTEND, id)


def retype(transaction: Transaction, call: Call) -> dict[str, Any]:
    id = id_of(transaction, call)
    body = call.under("os-retype", Retype)
    type_ = type_named(transaction, call, body.new_type)
    volumes = call.services.storage.block.volumes
    volumes.retype(transaction, call.access, id, type_.id)
    if body.iops is not None or body.throughput is not None:
        volumes.set_speed(transaction, call.access, id, body.iops, bytes_of(body.throughput))
    return job_of(transaction, call, JobKind.RETYPE, id)


def job_of(transaction: Transaction, call: Call, kind: JobKind, *ids: int) -> dict[str, Any]:
    """The answer that names the job of what was asked for these volumes."""
    return {"job_id": call.services.storage.block.jobs.write_down(transaction, call.access, kind, ids)}


# -- jobs --------------------------------------------------------------------------------------------


def show_job(transaction: Transaction, call: Call) -> dict[str, Any]:
    job = call.services.storage.block.jobs.show(transaction, call.access, call.parts["id"])
    shown = wire.job(job.uuid, job.kind.value, job.status.value, _times(job, job.ended_at), job.problem)
    entities = [
        {
            "volume_id": each.uuid,
            "name": each.name or "",
            "size": each.size_gb,
            "volume_type": each.policy_name,
        }
        for each in job.volumes
    ]
    if not job.kind.has_parts:
        return {**shown, "entities": entities[0] if entities else {}}
    parts = [
        {
            **wire.job(
                f"{job.uuid}{number:04d}",
                job.kind_of_parts.value,
                job.status_of(each).value,
                _times(job, job.end_of(each)),
                each.problem,
            ),
            "entities": entities[number],
        }
        for number, each in enumerate(job.volumes)
    ]
    return {**shown, "entities": {"sub_jobs": parts}}


def _times(job: Job, end: datetime | None) -> dict[str, str]:
    return {"begin_time": stamp(job.created_at) or "", "end_time": stamp(end) or ""}


# -- tags --------------------------------------------------------------------------------------------


def show_tags(transaction: Transaction, call: Call) -> dict[str, Any]:
    found = call.services.storage.block.volumes.show(transaction, call.access, id_of(transaction, call))
    return {"tags": [{"key": key, "value": value} for key, value in found.tags.items()]}


def change_tags(transaction: Transaction, call: Call) -> None:
    body = decoded(call.object, TagAction, "tags")
    id = id_of(transaction, call)
    if body.action not in ("create", "delete"):
        raise Fault(400, "action must be create or delete.", code="EVS.5400")
    tags = {tag.key: tag.value for tag in body.tags}
    adding = body.action == "create"
    call.services.storage.block.volumes.set_tags(
        transaction, call.access, id, add=tags if adding else {}, drop=() if adding else tags
    )


def all_tags(transaction: Transaction, call: Call) -> dict[str, Any]:
    """Every key of the project's disks, with the values that it has."""
    return {
        "tags": gathered(views.volumes(transaction, *call.services.storage.block.volumes.within(call.access)))
    }


def gathered(items: Any) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = {}
    for each in items:
        for key, value in each.tags.items():
            if value not in tags.setdefault(key, []):
                tags[key].append(value)
    return tags


def _row(method: str, path: str, run: Any, verb: str, status: int = 200) -> Endpoint:
    return Endpoint(
        method=method,
        path=path,
        run=run,
        kind="bs_volume",
        verb=verb,
        status=status,
        mode=Mode.READ if method == "GET" else Mode.WRITE,
        dialect=Dialect.HUAWEI,
    )


_DISK = "/v2/cloudvolumes"
ENDPOINTS: Final = (
    *(
        replace(_row("POST", f"/{version}/cloudvolumes", create, "create", 202), repeatable=True)
        for version in ("v2.1", "v2", "v3")
    ),
    *(
        _row("POST", f"/{version}/cloudvolumes/{{id}}/action", act, "extend", 202)
        for version in ("v2.1", "v2")
    ),
    _row("GET", _DISK, list_detail, "list"),
    _row("GET", f"{_DISK}/detail", list_detail, "list"),
    _row("GET", f"{_DISK}/tags", all_tags, "list"),
    _row("GET", f"{_DISK}/{{id}}", show, "show"),
    _row("PUT", f"{_DISK}/{{id}}", update, "update"),
    _row("DELETE", f"{_DISK}/{{id}}", delete, "delete"),
    _row("GET", f"{_DISK}/{{id}}/tags", show_tags, "show"),
    _row("POST", f"{_DISK}/{{id}}/tags/action", change_tags, "update", 204),
    # the native path's older names for the same
    *(
        row
        for version in ("v2", "v3")
        for row in (
            _row("GET", f"/{version}/os-vendor-volumes/detail", list_detail, "list"),
            _row("GET", f"/{version}/os-vendor-volumes/{{id}}", show, "show"),
            _row("GET", f"/{version}/os-vendor-volumes/{{id}}/tags", show_tags, "show"),
            _row("POST", f"/{version}/os-vendor-volumes/{{id}}/tags/action", change_tags, "update", 204),
        )
    ),
    _row("POST", "/v2/volumes/{id}/retype", retype, "retype", 202),
    _row("GET", "/v1/jobs/{id}", show_job, "show"),
    _row("GET", "/v1/volumes/{id}", show, "show"),
)
