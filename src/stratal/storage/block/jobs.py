"""Jobs: what a request of Huawei's API was about, so that its client can ask how far it is.

A job is not a second state machine: its status is what its volumes say. It cannot get stuck, and there is
nothing to recover after a crash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import delete, func, select

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import NotFound
from stratal.kernel.journal import AUDIT_LOG
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.model import JOB, RECYCLED
from stratal.storage.block.views import VolumeView
from stratal.storage.bs_volume.model import BS_VOLUME

KEPT: Final = timedelta(days=30)
"""How long a job can be asked for."""
_audit = AUDIT_LOG.table.c


class JobKind(StrEnum):
    CREATE = "createVolume"
    BATCH_CREATE = "batchCreateVolume"
    DELETE = "deleteVolume"
    EXTEND = "extendVolume"
    RETYPE = "retypeVolume"
    BATCH_EXTEND = "batchExtendVolume"
    QOS = "modifyVolumeQos"

    @property
    def has_parts(self) -> bool:
        """Whether it is shown as one job for each volume."""
        return self in _OF_MANY


_OF_MANY: Final = {JobKind.BATCH_CREATE: JobKind.CREATE, JobKind.BATCH_EXTEND: JobKind.EXTEND}


class JobStatus(StrEnum):
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAIL = "FAIL"


@dataclass(frozen=True, kw_only=True)
class Job:
    """A request, and how far its volumes are."""

    uuid: str
    kind: JobKind
    status: JobStatus
    volumes: tuple[VolumeView, ...]
    created_at: datetime
    #: when all of it was done, or had failed
    ended_at: datetime | None
    problem: str | None
    ends: dict[int, datetime]

    @property
    def kind_of_parts(self) -> JobKind:
        return _OF_MANY.get(self.kind, self.kind)

    def end_of(self, volume: VolumeView) -> datetime | None:
        """When the part about a volume was done."""
        if self.status_of(volume) is JobStatus.RUNNING:
            return None
        return self.ends.get(volume.id, self.created_at)

    def status_of(self, volume: VolumeView) -> JobStatus:
        return _status(self.kind, volume)


class Jobs:
    def write_down(
        self,
        transaction: Transaction,
        access: Access,
        kind: JobKind,
        volume_ids: Sequence[int],
        *,
        client_token: str | None = None,
    ) -> str:
        """Remember what a request was about. Returns the job's id."""
        uuid = transaction.entropy.uuid().replace("-", "")
        row: dict[str, Any] = {
            "uuid": uuid,
            "project_id": access.project_id,
            "kind": kind.value,
            "volume_ids": list(volume_ids),
            "client_token": client_token,
            "created_at": transaction.now,
        }
        transaction.execute(JOB.insert(), row)
        return uuid

    def repeated(self, transaction: Transaction, access: Access, client_token: str) -> Job | None:
        """The job of the request that came with the same token before."""
        statement = select(JOB.c.uuid).where(
            JOB.c.project_id == access.project_id, JOB.c.client_token == client_token
        )
        uuid = transaction.execute(statement).scalar()
        return None if uuid is None else self.show(transaction, access, uuid)

    def show(self, transaction: Transaction, access: Access, uuid: str) -> Job:
        """Raises NotFound, also for another project's."""
        row: Any = transaction.execute(select(JOB).where(JOB.c.uuid == uuid)).first()
        if row is None or (access.reach is not Reach.ALL and row.project_id != access.project_id):
            raise NotFound(kind="job", id=uuid)
        kind = JobKind(row.kind)
        found = views.volumes(transaction, BS_VOLUME.tables.spec.c.id.in_(row.volume_ids), gone=True)
        in_order = sorted(found, key=lambda volume: row.volume_ids.index(volume.id))
        binned = self._binned(transaction, row.volume_ids) if kind is JobKind.DELETE else set[int]()
        states = {JobStatus.SUCCESS if volume.id in binned else _status(kind, volume) for volume in in_order}
        status = next(each for each in (*_WORST_FIRST, JobStatus.SUCCESS) if each in states or not states)
        ends = self._ends(transaction, kind, row.created_at, in_order)
        return Job(
            uuid=uuid,
            kind=kind,
            status=status,
            volumes=tuple(in_order),
            created_at=row.created_at,
            ended_at=None if status is JobStatus.RUNNING else max(ends.values(), default=row.created_at),
            ends=ends,
            problem=next((each.problem for each in in_order if each.problem), None),
        )

    def forget_old(self, transaction: Transaction) -> int:
        """Remove jobs that nobody asks for any more. Returns how many."""
        return transaction.execute(delete(JOB).where(JOB.c.created_at < transaction.now - KEPT)).rowcount

    @staticmethod
    def _binned(transaction: Transaction, ids: Sequence[int]) -> set[int]:
        """Of these volumes, those that were put into the recycle bin: their deletion is done."""
        statement = select(RECYCLED.c.volume_id).where(RECYCLED.c.volume_id.in_(ids))
        return set(transaction.execute(statement).scalars())

    @staticmethod
    def _ends(
        transaction: Transaction, kind: JobKind, begin: datetime, volumes: Sequence[VolumeView]
    ) -> dict[int, datetime]:
        """When volumes got what a job was for: as they say themselves, else as the audit log has it."""
        ends: dict[int, datetime] = {}
        for volume in volumes:
            end = volume.deletion_finish if kind is JobKind.DELETE else volume.creation_finish
            if end is not None and end >= begin:
                ends[volume.id] = end
        statement = (
            select(_audit.resource_id, func.max(_audit.finished_at).label("end"))
            .where(
                _audit.resource_type == BS_VOLUME.name,
                _audit.resource_id.in_([volume.id for volume in volumes if volume.id not in ends]),
                # written in the same transaction
                _audit.started_at == begin,
                _audit.finished_at.is_not(None),
            )
            .group_by(_audit.resource_id)
        )
        for row in transaction.execute(statement).mappings():
            ends[row["resource_id"]] = row["end"]
        return ends


_WORST_FIRST = (JobStatus.FAIL, JobStatus.RUNNING)


def _status(kind: JobKind, volume: VolumeView) -> JobStatus:
    if kind is JobKind.DELETE:
        return JobStatus.SUCCESS if volume.deleted else JobStatus.RUNNING
    if volume.deleted or volume.status == "deleting":
        return JobStatus.SUCCESS  # it was there, or somebody wanted it gone: nothing of the job is left
    if volume.status == "error":
        return JobStatus.FAIL
    unfinished = {"creating", "downloading", "extending", "retyping"}
    return JobStatus.RUNNING if volume.status in unfinished else JobStatus.SUCCESS
