"""Makes the place of a policy ready, and watches how full it is. Called by the reconcile engine."""

from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import func, select

from stratal.kernel.errors import StratalError
from stratal.kernel.journal import Level, record_event
from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.storage.bs_policy.model import BS_POLICY, BsPolicySpec, BsPolicyStatus, PoolStatus
from stratal.storage.bs_volume.model import BS_VOLUME, MIB
from stratal.storage.places import Places

_LOOK_EVERY: Final = timedelta(seconds=60)
_LOOK_SOON: Final = timedelta(seconds=10)

Policy = Resource[BsPolicySpec, BsPolicyStatus]


class BsPolicyReconciler:
    kind = BS_POLICY
    concurrency = 4

    def __init__(self, places: Places) -> None:
        self._places = places
        volumes = BS_VOLUME.tables.spec.c
        self._count = select(func.count(), func.coalesce(func.sum(volumes.size_mb), 0)).where(
            volumes.deleted_at.is_(None)
        )
        self._policy_of = volumes.bs_policy_id

    def reconcile(self, resource: Policy, look: Look) -> Observed[BsPolicyStatus]:
        spec = resource.spec
        if spec.creation_finish is None:
            self._places.prepare(spec.driver, spec.place)
        number, size_mb = look.read(lambda tx: self._volumes(tx, resource.id))
        status = msgspec.structs.replace(resource.status, bs_volume_num=number, allocated_byte=size_mb * MIB)
        try:
            capacity = self._places.driver(spec.driver, spec.place).capacity()
        except StratalError as error:
            if spec.creation_finish is None:
                raise
            self._tell(look, resource, error)
            status = msgspec.structs.replace(status, pool_status=PoolStatus.UNAVAILABLE, problem=str(error))
            return Observed(status=status, again_after=_LOOK_SOON)
        self._tell(look, resource, None)
        status = msgspec.structs.replace(
            status,
            total_byte=capacity.total_bytes,
            used_byte=capacity.used_bytes,
            pool_status=PoolStatus.HEALTHY,
            problem=None,
        )
        return Observed(status=status, again_after=_LOOK_EVERY)

    def remove(self, resource: Policy, look: Look) -> Gone:
        return Gone()

    def _volumes(self, transaction: Transaction, id: int) -> tuple[int, int]:
        row: Any = transaction.execute(self._count.where(self._policy_of == id)).one()
        return int(row[0]), int(row[1])

    @staticmethod
    def _tell(look: Look, resource: Policy, error: StratalError | None) -> None:
        """An event whenever the place goes away or comes back."""
        if (error is None) == (resource.status.pool_status is not PoolStatus.UNAVAILABLE):
            return
        name = resource.spec.name
        look.write(
            lambda tx: record_event(
                tx,
                "bs_policy_available" if error is None else "bs_policy_unavailable",
                level=Level.INFO if error is None else Level.WARNING,
                message=f"the place of {name} is back" if error is None else f"{name}: {error}",
                resource_type=BS_POLICY.name,
                resource_id=resource.id,
                resource_name=name,
            )
        )
