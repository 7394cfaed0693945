"""What may be asked of block-storage policies. Called by faces, and at the server's start."""

import msgspec
from sqlalchemy import select

from stratal.kernel.access import Access
from stratal.kernel.errors import Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction
from stratal.storage.bs_policy.model import (
    BS_POLICY,
    BsPolicyCreate,
    BsPolicySpec,
    BsPolicyStatus,
    BsPolicySummary,
    BsPolicySummaryItem,
    BsPolicyUpdate,
    ReplicaType,
)
from stratal.storage.bs_policy.speed import check_speed
from stratal.storage.places import Places

FIRST_POLICY = "default"

Policy = Resource[BsPolicySpec, BsPolicyStatus]


class BsPolicyService(ResourceService[BsPolicySpec, BsPolicyStatus]):
    create_body = BsPolicyCreate
    update_body = BsPolicyUpdate
    prepares = True  # a place is looked at on disk

    def __init__(self, catalogue: Catalogue, places: Places, *, default_driver: str) -> None:
        super().__init__(BS_POLICY, catalogue)
        self._places = places
        self._default_driver = default_driver

    def is_first_start(self, transaction: Transaction) -> bool:
        """Whether there never was a policy, not even one that is gone."""
        return transaction.execute(select(self.columns.id).limit(1)).first() is None

    def prepare_create(self, access: Access, body: BsPolicyCreate) -> BsPolicyCreate:
        """Check the place where it is, and bring it to its one canonical form."""
        driver = self._default_driver if body.driver is msgspec.UNSET else body.driver
        return msgspec.structs.replace(body, driver=driver, place=self._places.canonical(driver, body.place))

    def new(self, transaction: Transaction, access: Access, body: BsPolicyCreate) -> Change:
        spec = given(body)
        spec["data_replica_num"] = _copies(body)
        if body.data_replica_type is not ReplicaType.REPLICA:
            raise Invalid(field="spec.data_replica_type", reason="only replica can be had here")
        if body.cache_enabled or body.cache_replica_num:
            field = "spec.cache_enabled" if body.cache_enabled else "spec.cache_replica_num"
            raise Invalid(field=field, reason="no driver here has a cache tier")
        check_speed(spec)
        if not body.thin_provisioned:
            if body.overcommit > 1:
                raise Invalid(field="spec.overcommit", reason="must be at most 1 without thin provisioning")
            spec["overcommit"] = body.overcommit or 1.0
        return spec

    def changed(
        self, transaction: Transaction, access: Access, resource: Policy, body: BsPolicyUpdate
    ) -> Change:
        spec = given(body)
        check_speed(spec)
        overcommit = spec.get("overcommit")
        if isinstance(overcommit, float) and not resource.spec.thin_provisioned and not 0 < overcommit <= 1:
            raise Invalid(
                field="spec.overcommit", reason="must be above 0 and at most 1 without thin provisioning"
            )
        return spec

    def summary(self, transaction: Transaction) -> BsPolicySummary:
        """All policies at a glance."""
        return BsPolicySummary(
            items=[
                BsPolicySummaryItem(
                    id=policy.id,
                    name=policy.spec.name,
                    total_byte=policy.status.total_byte,
                    used_byte=policy.status.used_byte,
                    allocated_byte=policy.status.allocated_byte,
                    bs_volume_num=policy.status.bs_volume_num,
                )
                for policy in self.store.find(transaction, labels=False)
            ]
        )


def _copies(body: BsPolicyCreate) -> int:
    """How many copies there are. A pool keeps as many as it is configured for; anything else, one."""
    wanted = body.data_replica_num
    if body.driver == "rbd":
        return 3 if wanted is msgspec.UNSET else wanted
    if wanted is not msgspec.UNSET and wanted != 1:
        raise Invalid(field="spec.data_replica_num", reason=f"{body.driver} keeps one copy")
    return 1
