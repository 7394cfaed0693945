"""Finding the resources that are to be labelled, for a caller who may change them. Called by the service."""

from collections.abc import Callable, Sequence

from sqlalchemy import false, select

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import Conflict, Forbidden, Invalid
from stratal.kernel.kind import AnyKind, Catalogue, Scope
from stratal.kernel.transaction import Transaction

ReachOf = Callable[[Access, str, str], Reach]
"""How far a caller's rights reach, by the `name` of a kind and a verb. Made of the role policy."""


def kind_called(catalogue: Catalogue, name: str) -> AnyKind:
    """The kind of this name, or of this path segment. Raises Invalid, naming those that there are."""
    for kind in catalogue:
        if name in (kind.name, kind.plural):
            return kind
    known = ", ".join(sorted(kind.name for kind in catalogue))
    raise Invalid(field="spec.resource_type", reason=f"{name!r} is not a kind of resource; those are {known}")


def lock_targets(
    transaction: Transaction, access: Access, reach_of: ReachOf, kind: AnyKind, ids: Sequence[int]
) -> None:
    """Make sure that each of these may be labelled by the caller, and stays until the transaction ends.

    To label something is to change it, so the caller needs the right to update it. Raises Forbidden where
    nothing of the kind is the caller's to change, Invalid for the first resource that does not exist as far
    as the caller may know, Conflict for one that is being deleted.
    """
    reach = reach_of(access, kind.name, "update")
    if reach is Reach.NONE:
        raise Forbidden(verb="update", kind=kind.name)
    spec = kind.tables.spec
    statement = select(spec.c.id, spec.c.deletion_begin).where(
        spec.c.id.in_(ids), spec.c.deleted_at.is_(None)
    )
    if reach is not Reach.ALL:
        # less than full reach means a project's own resources; a kind without projects has none of those
        own = reach is Reach.PROJECT and kind.scope is Scope.PROJECT and access.project_id is not None
        statement = statement.where(spec.c.project_id == access.project_id if own else false())
    # in one order for everybody: two calls for the same resources wait for each other, and never both
    rows = transaction.execute(statement.order_by(spec.c.id).with_for_update()).all()
    found = {row.id: row for row in rows}
    for index, id in enumerate(ids):
        if id not in found:
            raise Invalid(field=f"spec.resource_ids[{index}]", reason=f"there is no {kind.name} {id}")
        if found[id].deletion_begin is not None:
            raise Conflict(reason=f"{kind.name} {id} is being deleted")
