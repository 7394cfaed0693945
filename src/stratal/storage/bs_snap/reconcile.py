"""Says how far the layer of a snapshot is, and who depends on it. Called by the reconcile engine."""

from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import func, select

from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.storage.bs_snap.model import BS_SNAP, BsSnapSpec, BsSnapStatus
from stratal.storage.bs_volume.model import BS_VOLUME
from stratal.storage.layers import NameKind, State
from stratal.storage.tree import rows
from stratal.storage.tree.disks import Disks
from stratal.storage.tree.telling import first_problem, made_for, tell

_WAIT: Final = timedelta(seconds=60)
"""How long to wait for the tree, which asks for a look by itself."""

Snapshot = Resource[BsSnapSpec, BsSnapStatus]


class BsSnapReconciler:
    kind = BS_SNAP
    concurrency = 8

    def __init__(self, disks: Disks) -> None:
        self._disks = disks
        spec, status = BS_VOLUME.tables.spec, BS_VOLUME.tables.status
        self._count_clones = (
            select(func.count())
            .join_from(spec, status, spec.c.id == status.c.id)
            .where(spec.c.deleted_at.is_(None), ~status.c.flattened)
        )
        self._snap_of = spec.c.bs_snap_id

    def reconcile(self, resource: Snapshot, look: Look) -> Observed[BsSnapStatus]:
        path, status = look.read(lambda tx: self._observe(tx, resource))
        tell(look, resource, status.problem)
        settled = path[0].layer.state is State.SETTLED
        if settled:
            status.flattened = made_for(path, resource.spec.bs_volume_id)
        return Observed(status=status, settled=settled, again_after=None if settled else _WAIT)

    def remove(self, resource: Snapshot, look: Look) -> Gone:
        look.write(lambda tx: self._disks.drop(tx, rows.name_of(NameKind.SNAPSHOT, resource.id)))
        return Gone()

    def _observe(
        self, transaction: Transaction, resource: Snapshot
    ) -> tuple[list[rows.Placed], BsSnapStatus]:
        name = rows.name_of(NameKind.SNAPSHOT, resource.id)
        exclusive, shared = rows.count_of(transaction, name)
        clones = transaction.execute(self._count_clones.where(self._snap_of == resource.id)).scalar_one()
        path = rows.telling_path(transaction, name, volume_id=resource.spec.bs_volume_id)
        return path, msgspec.structs.replace(
            resource.status,
            cloned_volume_num=clones,
            allocated_size_byte=exclusive,
            shared_size_byte=shared,
            problem=first_problem(path),
        )
