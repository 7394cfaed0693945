"""Several disks extended at once, and how fast a disk may be."""

from typing import Annotated, Any, Final

import msgspec

from stratal.faces.evs.call import Call, Dialect, Endpoint, Mode, decoded
from stratal.faces.evs.huawei.volumes import MOST_AT_ONCE, Iops, Throughput, bytes_of, job_of
from stratal.faces.evs.volume.volumes import id_of
from stratal.kernel.transaction import Transaction
from stratal.storage.block.jobs import JobKind
from stratal.storage.bs_volume.model import BS_VOLUME, LARGEST_MB


class Wanted(msgspec.Struct, kw_only=True):
    id: str
    new_size: Annotated[int, msgspec.Meta(ge=1, le=LARGEST_MB // 1024)]


class BatchExtend(msgspec.Struct, kw_only=True):
    volumes: Annotated[list[Wanted], msgspec.Meta(min_length=1, max_length=MOST_AT_ONCE)]
    #: how to pay; nothing is charged for
    bss_param: Any = None


class Speed(msgspec.Struct, kw_only=True):
    iops: Iops
    throughput: Throughput | None = None


def extend(transaction: Transaction, call: Call) -> dict[str, Any]:
    """All of these disks, or none of them."""
    body = decoded(call.object, BatchExtend, "volumes")
    volumes = call.services.storage.block.volumes
    sizes = {call.id_of(transaction, BS_VOLUME, each.id, "Volume"): each.new_size for each in body.volumes}
    # always in one order, so that two of them never wait for each other
    for id, size in sorted(sizes.items()):
        volumes.extend(transaction, call.access, id, size, attached=True)
    return job_of(transaction, call, JobKind.BATCH_EXTEND, *sizes)


def change_speed(transaction: Transaction, call: Call) -> dict[str, Any]:
    """The limits of a disk, also while a guest has it; 0 takes one away."""
    id = id_of(transaction, call)
    body = call.under("qos_modify", Speed)
    volumes = call.services.storage.block.volumes
    volumes.set_speed(transaction, call.access, id, body.iops, bytes_of(body.throughput))
    return job_of(transaction, call, JobKind.QOS, id)


def _row(method: str, path: str, run: Any, verb: str) -> Endpoint:
    return Endpoint(
        method=method,
        path=path,
        run=run,
        kind="bs_volume",
        verb=verb,
        status=202,
        mode=Mode.WRITE,
        dialect=Dialect.HUAWEI,
    )


ENDPOINTS: Final = (
    _row("POST", "/v5/volumes/batch-extend", extend, "extend"),
    _row("PUT", "/v5/cloudvolumes/{id}/qos", change_speed, "update"),
)
