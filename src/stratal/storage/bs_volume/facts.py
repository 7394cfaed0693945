"""What compute has to know of a volume to give it to a guest."""

from dataclasses import dataclass

from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction
from stratal.storage.bs_volume.model import BS_VOLUME

_VOLUMES = Store(BS_VOLUME)


@dataclass(frozen=True, kw_only=True)
class VolumeFacts:
    """A volume as its guest is to see it."""

    #: what the guest reads as the disk's serial
    serial: str
    #: MiB that are wanted
    size_mb: int
    #: 0: no limit
    max_total_iops: int
    #: bytes/s; 0: no limit
    max_total_bw_bps: int
    #: it shares nothing with what it came from
    flattened: bool


def volume_facts(transaction: Transaction, volume_id: int) -> VolumeFacts | None:
    """None where there is no such volume."""
    volume = _VOLUMES.get(transaction, volume_id, labels=False)
    if volume is None:
        return None
    return VolumeFacts(
        serial=volume.spec.serial,
        size_mb=volume.spec.size_mb,
        max_total_iops=volume.spec.max_total_iops,
        max_total_bw_bps=volume.spec.max_total_bw_bps,
        flattened=volume.status.flattened,
    )
