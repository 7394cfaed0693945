"""The one status word of volumes and snapshots: how it follows from their rows, and what may be done in it.

Nothing stores a status that something else already says: a resource that is being made, deleted, grown or
rolled back says so by its own two rows, so a crash can leave no word behind that is not true. What is stored
is a *condition*: a promise between clients (`attaching`), or what an administrator set.
"""

from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, and_, case, exists, literal, select

from stratal.kernel.errors import Conflict
from stratal.storage.block.model import ATTACHMENT, SNAPSHOT_TRAITS, TRANSFER, VOLUME_TRAITS
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_volume.model import BS_VOLUME


class VolumeStatus(StrEnum):
    """What a volume can be, in Cinder's words."""

    CREATING = "creating"
    AVAILABLE = "available"
    RESERVED = "reserved"
    ATTACHING = "attaching"
    DETACHING = "detaching"
    IN_USE = "in-use"
    MAINTENANCE = "maintenance"
    DELETING = "deleting"
    AWAITING_TRANSFER = "awaiting-transfer"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"
    ERROR_EXTENDING = "error_extending"
    ERROR_RESTORING = "error_restoring"
    ERROR_MANAGING = "error_managing"
    ERROR_BACKING_UP = "error_backing-up"
    BACKING_UP = "backing-up"
    RESTORING_BACKUP = "restoring-backup"
    DOWNLOADING = "downloading"
    UPLOADING = "uploading"
    RETYPING = "retyping"
    EXTENDING = "extending"
    REVERTING = "reverting"
    MANAGING = "managing"


class SnapshotStatus(StrEnum):
    """What a snapshot can be, in Cinder's words."""

    CREATING = "creating"
    AVAILABLE = "available"
    DELETING = "deleting"
    DELETED = "deleted"
    ERROR = "error"
    ERROR_DELETING = "error_deleting"
    UPDATING = "updating"
    UNMANAGING = "unmanaging"
    BACKING_UP = "backing-up"
    RESTORING = "restoring"


class WrongStatus(Conflict):
    """What was asked for cannot be done in the status that the volume or snapshot has."""

    code = "wrong_status"
    template = "{what} {uuid} must be {allowed} to {verb}, and is {status}"
    remedy = "Wait until the status is one of those, or change what it follows from."


_V = VolumeStatus
_DELETABLE: Final = frozenset(
    {_V.AVAILABLE, _V.ERROR, _V.ERROR_RESTORING, _V.ERROR_EXTENDING, _V.ERROR_MANAGING}
)
VOLUME_MAY: Final[dict[str, frozenset[VolumeStatus]]] = {
    "delete": _DELETABLE,
    "extend": frozenset({_V.AVAILABLE}),
    "extend-attached": frozenset({_V.AVAILABLE, _V.IN_USE}),
    "reserve": frozenset({_V.AVAILABLE}),
    "reserve-shared": frozenset({_V.AVAILABLE, _V.IN_USE}),
    "unreserve": frozenset({_V.ATTACHING, _V.RESERVED}),
    "attach": frozenset({_V.AVAILABLE, _V.ATTACHING, _V.RESERVED}),
    "begin-detaching": frozenset({_V.IN_USE}),
    "roll-detaching": frozenset({_V.DETACHING}),
    "detach": frozenset({_V.IN_USE, _V.DETACHING, _V.ATTACHING, _V.RESERVED}),
    "snapshot": frozenset({_V.AVAILABLE}),
    "snapshot-attached": frozenset({_V.AVAILABLE, _V.IN_USE}),
    "snapshot-forced": frozenset({_V.AVAILABLE, _V.IN_USE, _V.ATTACHING}),
    "revert": frozenset({_V.AVAILABLE}),
    "transfer": frozenset({_V.AVAILABLE}),
    "retype": frozenset({_V.AVAILABLE, _V.IN_USE}),
    "clone": frozenset({_V.AVAILABLE, _V.IN_USE}),
    "upload": frozenset({_V.AVAILABLE}),
    "upload-attached": frozenset({_V.AVAILABLE, _V.IN_USE}),
}
"""What may be done with a volume, by its status. Two entries for one verb are two dialects or versions."""

SNAPSHOT_MAY: Final[dict[str, frozenset[SnapshotStatus]]] = {
    "delete": frozenset({SnapshotStatus.AVAILABLE, SnapshotStatus.ERROR}),
    "revert": frozenset({SnapshotStatus.AVAILABLE}),
    "clone": frozenset({SnapshotStatus.AVAILABLE}),
}

#: conditions that a client's promise makes, and that end with it
PROMISES: Final = frozenset({_V.RESERVED, _V.ATTACHING, _V.DETACHING})

_volume, _volume_seen = BS_VOLUME.tables.spec.c, BS_VOLUME.tables.status.c
_snapshot, _snapshot_seen = BS_SNAP.tables.spec.c, BS_SNAP.tables.status.c


def _attachment(*where: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(literal(1)).where(ATTACHMENT.c.volume_id == _volume.id, *where))


ATTACHED: Final = _attachment(ATTACHMENT.c.status == "attached")

VOLUME_STATUS: Final[ColumnElement[str]] = case(
    (_volume.deletion_begin.is_not(None), _V.DELETING.value),
    (
        _volume.creation_finish.is_(None),
        case(
            (_volume_seen.problem.is_not(None), _V.ERROR.value),
            (_volume.vm_image_id.is_not(None), _V.DOWNLOADING.value),
            else_=_V.CREATING.value,
        ),
    ),
    (VOLUME_TRAITS.c.condition.is_not(None), VOLUME_TRAITS.c.condition),
    (_volume.rollback_num != _volume_seen.rollback_num, _V.REVERTING.value),
    (_volume.size_mb != _volume_seen.size_mb, _V.EXTENDING.value),
    (
        exists(select(literal(1)).where(TRANSFER.c.volume_id == _volume.id)),
        _V.AWAITING_TRANSFER.value,
    ),
    (ATTACHED, _V.IN_USE.value),
    (_attachment(ATTACHMENT.c.status == "attaching"), _V.ATTACHING.value),
    (_attachment(), _V.RESERVED.value),
    # what a machine of this Stratal has as its disk is in use, whether or not it runs
    (_volume_seen.vm_disk_id.is_not(None), _V.IN_USE.value),
    else_=_V.AVAILABLE.value,
)

# in a statement that joins the snapshot's volume
_rolling_back = and_(
    _volume.rollback_bs_snap_id == _snapshot.id, _volume.rollback_num != _volume_seen.rollback_num
)

SNAPSHOT_STATUS: Final[ColumnElement[str]] = case(
    (_snapshot.deletion_begin.is_not(None), SnapshotStatus.DELETING.value),
    (
        and_(_snapshot.creation_finish.is_(None), _snapshot_seen.problem.is_not(None)),
        SnapshotStatus.ERROR.value,
    ),
    (_snapshot.creation_finish.is_(None), SnapshotStatus.CREATING.value),
    (SNAPSHOT_TRAITS.c.condition.is_not(None), SNAPSHOT_TRAITS.c.condition),
    (_rolling_back, SnapshotStatus.RESTORING.value),
    else_=SnapshotStatus.AVAILABLE.value,
)


def check_volume(verb: str, *, status: str, uuid: str) -> None:
    """Raises WrongStatus when a volume in this status does not allow the verb of `VOLUME_MAY`."""
    _check(VOLUME_MAY[verb], "volume", verb, status, uuid)


def check_snapshot(verb: str, *, status: str, uuid: str) -> None:
    """Raises WrongStatus when a snapshot in this status does not allow the verb of `SNAPSHOT_MAY`."""
    _check(SNAPSHOT_MAY[verb], "snapshot", verb, status, uuid)


def _check(
    allowed: frozenset[VolumeStatus] | frozenset[SnapshotStatus], what: str, verb: str, status: str, uuid: str
) -> None:
    if status not in allowed:
        raise WrongStatus(
            what=what,
            uuid=uuid,
            verb=verb.partition("-")[0],
            allowed=" or ".join(sorted(allowed)),
            status=status,
        )
