"""The recycle bin: what a project deletes through Huawei's API is kept for a while, where it wants that.

A volume in the bin is there as before, with its snapshots and its part of the quota; only the dialects of
this package don't show it among the others. Called by faces, and now and then to empty it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from structlog import get_logger

from stratal.kernel.access import SYSTEM, Access, Reach
from stratal.kernel.database import Database
from stratal.kernel.errors import NotFound, StratalError
from stratal.kernel.journal import AuditStatus, record_audit
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.model import RECYCLE_POLICY, RECYCLED, TRANSFER
from stratal.storage.block.states import WrongStatus, check_volume
from stratal.storage.block.views import VolumeView
from stratal.storage.block.volumes import BlockVolumes
from stratal.storage.bs_volume.model import BS_VOLUME

log = get_logger(__name__)

_AT_ONCE: Final = 100


@dataclass(frozen=True, kw_only=True)
class RecyclePolicy:
    """Whether a project keeps what it deletes. As long as nobody said otherwise, it does not."""

    switch: bool = False
    #: days that a volume must have been there, or it goes at once
    threshold_time: int = 7
    #: days that it is kept
    keep_time: int = 7


@dataclass(frozen=True, kw_only=True)
class Recycled:
    """A volume in the bin."""

    volume: VolumeView
    recycled_at: datetime
    expires_at: datetime


class RecycleBin:
    def __init__(self, database: Database, volumes: BlockVolumes) -> None:
        self._database = database
        self._volumes = volumes

    # -- what a project wants ------------------------------------------------------------------------

    def policy(self, transaction: Transaction, access: Access) -> RecyclePolicy:
        columns = [RECYCLE_POLICY.c[name] for name in ("switch", "threshold_time", "keep_time")]
        statement = select(*columns).where(RECYCLE_POLICY.c.project_id == access.project_id)
        row = transaction.execute(statement).mappings().first()
        return RecyclePolicy() if row is None else RecyclePolicy(**row)

    def set_policy(self, transaction: Transaction, access: Access, policy: RecyclePolicy) -> None:
        """What is in the bin already stays there for as long as was said when it came."""
        row = {
            "switch": policy.switch,
            "threshold_time": policy.threshold_time,
            "keep_time": policy.keep_time,
        }
        insert = transaction.insert(RECYCLE_POLICY).values(project_id=access.project_id, **row)
        transaction.execute(
            insert.on_conflict_do_update(index_elements=[RECYCLE_POLICY.c.project_id], set_=row)
        )
        record_audit(
            transaction,
            access,
            "update",
            resource_type=RECYCLE_POLICY.name,
            status=AuditStatus.SUCCEEDED,
        )

    # -- volumes -------------------------------------------------------------------------------------

    def put(self, transaction: Transaction, access: Access, id: int) -> bool:
        """Put a volume into the bin instead of deleting it. False: its project wants it gone at once.

        Raises NotFound, and WrongStatus where a deletion would.
        """
        policy = self.policy(transaction, access)
        volume = self._volumes.show(transaction, access, id, lock=True)
        old_enough = transaction.now - volume.created_at >= timedelta(days=policy.threshold_time)
        if not policy.switch or not old_enough or volume.status == "error":
            return False
        check_volume("delete", status=volume.status, uuid=volume.uuid)
        if volume.attachments or volume.group_uuid is not None:
            raise WrongStatus(
                what="volume",
                uuid=volume.uuid,
                verb="delete",
                allowed="detached and in no group",
                status=volume.status,
            )
        transaction.execute(delete(TRANSFER).where(TRANSFER.c.volume_id == id))
        row = {
            "volume_id": id,
            "project_id": volume.project_id,
            "recycled_at": transaction.now,
            "expires_at": transaction.now + timedelta(days=policy.keep_time),
        }
        transaction.execute(RECYCLED.insert(), row)
        self._audit(transaction, access, "recycle", volume)
        return True

    def all(self, transaction: Transaction, access: Access) -> list[Recycled]:
        """What is in the project's bin, newest first."""
        return self._find(transaction, access.project_id)

    def show(self, transaction: Transaction, access: Access, id: int) -> Recycled:
        """Raises NotFound for a volume that is not in the bin."""
        project_id = None if access.reach is Reach.ALL else access.project_id
        found = [each for each in self._find(transaction, project_id, id) if each.volume.id == id]
        if not found:
            raise NotFound(kind="bs_volume", id=id)
        return found[0]

    def restore(self, transaction: Transaction, access: Access, id: int) -> None:
        """Let a volume be there again. Raises NotFound."""
        found = self.show(transaction, access, id)
        transaction.execute(delete(RECYCLED).where(RECYCLED.c.volume_id == id))
        self._audit(transaction, access, "restore", found.volume)

    def purge(self, transaction: Transaction, access: Access, id: int) -> None:
        """Delete a volume in the bin for good, with its snapshots. Raises NotFound, WrongStatus, Conflict."""
        self.show(transaction, access, id)
        transaction.execute(delete(RECYCLED).where(RECYCLED.c.volume_id == id))
        self._volumes.delete(transaction, access, id, cascade=True)

    def empty(self) -> None:
        """Delete what was kept for long enough. What cannot be deleted is tried again next time."""
        now = self._database.clock.now()
        statement = select(RECYCLED.c.volume_id).where(RECYCLED.c.expires_at <= now)
        due = self._database.read(
            lambda tx: list(tx.execute(statement.order_by(RECYCLED.c.expires_at).limit(_AT_ONCE)).scalars())
        )
        everywhere = SYSTEM.with_reach(Reach.ALL)
        for id in due:
            try:
                self._database.write(lambda tx, id=id: self.purge(tx, everywhere, id))
            except NotFound:  # another face deleted it meanwhile
                gone = delete(RECYCLED).where(RECYCLED.c.volume_id == id)
                self._database.write(lambda tx, gone=gone: tx.execute(gone))
            except StratalError as error:
                log.warning("recycled_volume_kept", volume_id=id, reason=error.message)

    @staticmethod
    def _find(transaction: Transaction, project_id: int | None, id: int | None = None) -> list[Recycled]:
        where = [] if project_id is None else [RECYCLED.c.project_id == project_id]
        where += [] if id is None else [RECYCLED.c.volume_id == id]
        rows = transaction.execute(
            select(RECYCLED).where(*where).order_by(RECYCLED.c.recycled_at.desc(), RECYCLED.c.volume_id)
        ).all()
        ids = [row.volume_id for row in rows]
        found = views.volumes(transaction, BS_VOLUME.tables.spec.c.id.in_(ids), recycled=True)
        volumes = {volume.id: volume for volume in found}
        return [
            Recycled(volume=volumes[row.volume_id], recycled_at=row.recycled_at, expires_at=row.expires_at)
            for row in rows
            if row.volume_id in volumes
        ]

    @staticmethod
    def _audit(transaction: Transaction, access: Access, action: str, volume: VolumeView) -> None:
        record_audit(
            transaction,
            access,
            action,
            resource_type=BS_VOLUME.name,
            resource_id=volume.id,
            resource_name=volume.name,
            status=AuditStatus.SUCCEEDED,
        )
