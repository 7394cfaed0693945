"""What the four levels of the topology share: the counters in their status, and what keeps them.

data-center > room > rack > chassis > node. Called by the models and reconcilers of those kinds. A level is
woken whenever something directly below comes, goes, moves or counts anew, so numbers travel upwards one
level at a time.
"""

from typing import Annotated, TypeVar

import msgspec
from sqlalchemy import bindparam, func, select

from stratal.kernel.fields import Spec, Status, count_field
from stratal.kernel.kind import AnyKind, Kind
from stratal.kernel.prepared import Prepared
from stratal.kernel.reconcile import RecordReconciler
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

HeightU = Annotated[int, msgspec.Meta(ge=1, le=100, description="Height in rack units.")]


class TopologyStatus(Status, kw_only=True, omit_defaults=True):
    """What is observed of a level: how much there is below it."""

    sds_placement_node_id: Annotated[
        int | None, msgspec.Meta(description="The CRUSH bucket of this level in the storage cluster.")
    ] = None
    child_num: Annotated[int, msgspec.Meta(description="Direct children.")] = count_field()
    node_num: Annotated[int, msgspec.Meta(description="Nodes below.")] = count_field()


S = TypeVar("S", bound=Spec)
T = TypeVar("T", bound=TopologyStatus)


class CountingReconciler(RecordReconciler[S, T]):
    """Counts what is below: the children, and the nodes that these count below themselves.

    A child counts until it is gone, so a level that is empty by its status can really be deleted.
    """

    def __init__(self, kind: Kind[S, T], *, child: AnyKind, parent_field: str) -> None:
        super().__init__(kind)
        child_spec, child_status = child.tables.spec, child.tables.status
        # only a child that is itself a level counts nodes; below a chassis the children are the nodes
        counted = child_status.c.get("node_num")
        nodes = func.count() if counted is None else func.coalesce(func.sum(counted), 0)
        self._count = Prepared(
            select(func.count(), nodes)
            .join_from(child_spec, child_status, child_spec.c.id == child_status.c.id)
            .where(child_spec.c.deleted_at.is_(None), child_spec.c[parent_field] == bindparam("parent"))
        )

    def observe(self, transaction: Transaction, resource: Resource[S, T]) -> T:
        [below] = transaction.rows(self._count, {"parent": resource.id})
        # SUM of bigint is a NUMERIC on PostgreSQL
        return msgspec.structs.replace(resource.status, child_num=below[0], node_num=int(below[1]))
