"""Transfers: a volume goes to another project, by a key that its owner hands over."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import Conflict, Invalid, NotFound
from stratal.kernel.journal import AuditStatus, record_audit
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.limits import LimitService
from stratal.storage.block.model import TRANSFER
from stratal.storage.block.states import WrongStatus, check_volume
from stratal.storage.block.traits import put_snapshot, put_volume
from stratal.storage.block.volumes import BlockVolumes
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_snap.service import BsSnapService
from stratal.storage.bs_volume.model import BS_VOLUME
from stratal.storage.bs_volume.quota import Quota
from stratal.storage.bs_volume.service import BsVolumeService


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """A transfer that waits to be accepted."""

    uuid: str
    volume_id: int
    volume_uuid: str
    project_id: int
    name: str
    no_snapshots: bool
    created_at: datetime


class Transfers:
    def __init__(
        self,
        blocks: BlockVolumes,
        volumes: BsVolumeService,
        snapshots: BsSnapService,
        limits: LimitService,
        quota: Quota,
    ) -> None:
        self._blocks = blocks
        self._volumes = volumes
        self._snapshots = snapshots
        self._limits = limits
        self._quota = quota

    def create(
        self,
        transaction: Transaction,
        access: Access,
        volume_id: int,
        *,
        name: str,
        no_snapshots: bool,
        refuse_snapshots: bool,
    ) -> tuple[Transfer, str]:
        """Offer a volume; the key is shown this once. Snapshots go along, unless `refuse_snapshots`.

        Raises WrongStatus.
        """
        volume = self._blocks.show(transaction, access, volume_id, lock=True)
        check_volume("transfer", status=volume.status, uuid=volume.uuid)
        snapshots = views.snapshots(transaction, BS_SNAP.tables.spec.c.bs_volume_id == volume_id)
        unsettled = any(each.status != "available" for each in snapshots)
        if snapshots and (refuse_snapshots or no_snapshots or unsettled):
            raise WrongStatus(
                what="volume",
                uuid=volume.uuid,
                verb="transfer",
                allowed="without snapshots",
                status="with some",
            )
        if volume.group_uuid is not None:
            raise WrongStatus(
                what="volume", uuid=volume.uuid, verb="transfer", allowed="in no group", status="in one"
            )
        key = transaction.entropy.token()
        uuid = transaction.entropy.uuid()
        row: dict[str, Any] = {
            "uuid": uuid,
            "volume_id": volume_id,
            "project_id": volume.project_id,
            "name": name,
            "no_snapshots": no_snapshots,
            "created_at": transaction.now,
        }
        transaction.execute(TRANSFER.insert(), {**row, "digest": _digest(key)})
        self._audit(transaction, access, "create", uuid)
        return self.show(transaction, access, uuid), key

    def all(self, transaction: Transaction, access: Access, *, all_projects: bool = False) -> list[Transfer]:
        mine = (
            [] if all_projects and access.reach is Reach.ALL else [TRANSFER.c.project_id == access.project_id]
        )
        return self._find(transaction, *mine)

    def show(self, transaction: Transaction, access: Access, uuid: str) -> Transfer:
        """Raises NotFound, also for another project's."""
        found = self._find(transaction, TRANSFER.c.uuid == uuid)
        if not found or (access.reach is not Reach.ALL and found[0].project_id != access.project_id):
            raise NotFound(kind="transfer", id=uuid)
        return found[0]

    def delete(self, transaction: Transaction, access: Access, uuid: str) -> None:
        """Take an offer back. Raises NotFound."""
        self.show(transaction, access, uuid)
        transaction.execute(delete(TRANSFER).where(TRANSFER.c.uuid == uuid))
        self._audit(transaction, access, "delete", uuid)

    def accept(self, transaction: Transaction, access: Access, uuid: str, key: str) -> Transfer:
        """Take a volume over, with its snapshots, into the project of the token: all of it or nothing.

        Raises NotFound, Invalid for a wrong key, QuotaExceeded, LimitReached.
        """
        digest = transaction.execute(select(TRANSFER.c.digest).where(TRANSFER.c.uuid == uuid)).scalar()
        found = self._find(transaction, TRANSFER.c.uuid == uuid)
        if digest is None or not found:
            raise NotFound(kind="transfer", id=uuid)
        if not hmac.compare_digest(digest, _digest(key)):
            raise Invalid(field="auth_key", reason="is not that of this transfer")
        if access.project_id is None:
            raise Conflict(reason="this token is not for a project")
        transfer = found[0]
        volume = self._volumes.store.get(transaction, transfer.volume_id, lock=True, labels=False)
        if volume is None or volume.spec.deletion_begin is not None:
            raise NotFound(kind="transfer", id=uuid)
        columns = BS_SNAP.tables.spec.c
        snapshots = self._snapshots.store.find(transaction, columns.bs_volume_id == volume.id, labels=False)
        if volume.spec.project_id != access.project_id:
            self._limits.check(transaction, access.project_id, "volumes")
            self._limits.check(transaction, access.project_id, "snapshots", more=len(snapshots))
            self._quota.check(
                transaction,
                project_id=access.project_id,
                policy_id=volume.spec.bs_policy_id,
                more_mb=volume.spec.size_mb,
            )
        transaction.execute(delete(TRANSFER).where(TRANSFER.c.uuid == uuid))
        everywhere = access.with_reach(Reach.ALL)
        owner = {"project_id": access.project_id}
        for snapshot in snapshots:
            self._snapshots.change(transaction, everywhere, snapshot, "transfer", owner)
            put_snapshot(transaction, snapshot.id, user_id=access.user_id)
        self._volumes.change(transaction, everywhere, volume, "transfer", owner)
        put_volume(transaction, volume.id, user_id=access.user_id)
        return transfer

    @staticmethod
    def _find(transaction: Transaction, *where: ColumnElement[bool]) -> list[Transfer]:
        volumes = BS_VOLUME.tables.spec
        statement = (
            select(TRANSFER, volumes.c.uuid.label("volume_uuid"))
            .join_from(TRANSFER, volumes, volumes.c.id == TRANSFER.c.volume_id)
            .where(volumes.c.deletion_begin.is_(None), *where)
            .order_by(TRANSFER.c.created_at.desc())
        )
        return [
            Transfer(
                uuid=row.uuid,
                volume_id=row.volume_id,
                volume_uuid=row.volume_uuid,
                project_id=row.project_id,
                name=row.name,
                no_snapshots=row.no_snapshots,
                created_at=row.created_at,
            )
            for row in transaction.execute(statement)
        ]

    @staticmethod
    def _audit(transaction: Transaction, access: Access, action: str, uuid: str) -> None:
        record_audit(
            transaction,
            access,
            action,
            resource_type="volume_transfer",
            resource_name=uuid,
            status=AuditStatus.SUCCEEDED,
        )


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
