"""What may be asked of the resources of a kind. Subclassed once per kind by the domain packages.

A service is the only writer of specs. Every method runs in a transaction that the caller (a face) made,
writes rows and nothing else, and raises typed errors. The reconcile engine does the rest.
"""

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement

from stratal.kernel import work
from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import Conflict, Invalid, NotFound, PreconditionFailed
from stratal.kernel.fields import Spec, Status, defaults_of, given
from stratal.kernel.journal import record_audit
from stratal.kernel.kind import AnyKind, Catalogue, Kind, Reference, Scope
from stratal.kernel.listing import Fields, ListRequest, fields_of
from stratal.kernel.store import Listing, Resource, Store
from stratal.kernel.transaction import Transaction

S = TypeVar("S", bound=Spec)
T = TypeVar("T", bound=Status)

Change = Mapping[str, object]


class ResourceService(Generic[S, T]):
    """List, show, create, update and delete the resources of one kind.

    A subclass names the bodies it takes (`create_body`, `update_body`; None: the kind cannot be created or
    updated) and overrides the hooks `own`, `new`, `changed` and `before_delete`.
    """

    create_body: ClassVar[type[msgspec.Struct] | None] = None
    update_body: ClassVar[type[msgspec.Struct] | None] = None
    #: whether `prepare_create` and `prepare_update` do anything, and so are worth a thread
    prepares: ClassVar[bool] = False

    def __init__(self, kind: Kind[S, T], catalogue: Catalogue) -> None:
        self.kind = kind
        self.catalogue = catalogue
        self.store = Store(kind)
        self.columns = kind.tables.spec.c
        self._fields: Fields = fields_of(kind)
        self._defaults = {**defaults_of(kind.spec), **(defaults_of(kind.private) if kind.private else {})}
        #: of the kinds that are referred to, and that refer to this one: making one compiles statements
        self._stores: dict[str, Store[Any, Any]] = {kind.name: self.store}

    # -- before the transaction ----------------------------------------------------------------------

    def prepare_create(self, access: Access, body: Any) -> Any:
        """What takes time before a creation (hashing, decrypting). Its result is the body from then on."""
        return body

    def prepare_update(self, access: Access, id: int, body: Any) -> Any:
        """What takes time before an update. Its result is the body from then on."""
        return body

    # -- hooks ---------------------------------------------------------------------------------------

    def own(self, access: Access) -> ColumnElement[bool] | None:
        """Which rows a caller with less than full reach may know of; None: all of them.

        As it stands: those of the token's project for kinds that belong to projects, all for the others.
        """
        if self.kind.scope is Scope.PROJECT:
            return self.columns.project_id == access.project_id
        return None

    def new(self, transaction: Transaction, access: Access, body: Any) -> Change:
        """The spec columns of a new resource, but for those that have their defaults. Raises to refuse."""
        return given(body)

    def changed(
        self, transaction: Transaction, access: Access, resource: Resource[S, T], body: Any
    ) -> Change:
        """The spec columns that an update sets. Raises to refuse."""
        return given(body)

    def before_delete(self, transaction: Transaction, access: Access, resource: Resource[S, T]) -> None:
        """Raises to refuse a deletion. References to the resource are looked after elsewhere."""

    # -- reading -------------------------------------------------------------------------------------

    def page(self, transaction: Transaction, access: Access, request: ListRequest) -> Listing[S, T]:
        wanted = request.page
        return self.store.page(
            transaction,
            [*self._within_reach(access), *request.where(self._fields)],
            request.order_by(self._fields, self.columns.id),
            limit=wanted.limit,
            offset=wanted.offset,
        )

    def find(
        self, transaction: Transaction, access: Access, *where: ColumnElement[bool]
    ) -> list[Resource[S, T]]:
        """All resources within the caller's reach for which all conditions hold, without their labels."""
        return self.store.find(transaction, *self._within_reach(access), *where, labels=False)

    def show(
        self, transaction: Transaction, access: Access, id: int, *, lock: bool = False
    ) -> Resource[S, T]:
        """The resource. NotFound also when it lies beyond the caller's reach."""
        resource = self.store.get(transaction, id, lock=lock)
        if resource is None or not self._reaches(transaction, access, id):
            raise NotFound(kind=self.kind.name, id=id)
        return resource

    # -- writing -------------------------------------------------------------------------------------

    def create(self, transaction: Transaction, access: Access, body: Any) -> Resource[S, T]:
        spec = dict(self.new(transaction, access, body))
        if self.kind.scope is Scope.PROJECT:
            if access.project_id is None:
                raise Conflict(
                    reason="this token is not for a project; use :reauth-in-project to get one that is"
                )
            spec["project_id"] = access.project_id
        complete = {**self._defaults, **spec}
        self._check_unique(transaction, complete, ignore=None)
        self._check_references(transaction, access, complete)
        id = self.store.insert(transaction, complete)
        return self._written(transaction, access, "create", id, None, spec)

    def update(
        self,
        transaction: Transaction,
        access: Access,
        id: int,
        body: Any,
        *,
        if_match: str | None = None,
    ) -> Resource[S, T]:
        """Change what the body names. A change that changes nothing leaves the etag alone."""
        resource = self.changeable(transaction, access, id, if_match=if_match)
        return self.change(
            transaction, access, resource, "update", self.changed(transaction, access, resource, body)
        )

    def delete(
        self, transaction: Transaction, access: Access, id: int, *, if_match: str | None = None
    ) -> Resource[S, T]:
        """Begin the deletion. Idempotent: of what is being deleted already, it says so again."""
        resource = self.show(transaction, access, id, lock=True)
        self._check_etag(resource, if_match)
        if resource.spec.deletion_begin is not None:
            return resource
        self.before_delete(transaction, access, resource)
        self._check_unreferenced(transaction, id)
        self.store.mark(transaction, id, {"deletion_begin": transaction.now})
        return self._written(transaction, access, "delete", id, None, None)

    # -- for actions of subclasses -------------------------------------------------------------------

    def changeable(
        self, transaction: Transaction, access: Access, id: int, *, if_match: str | None = None
    ) -> Resource[S, T]:
        """The resource, locked, if it may be changed now. Raises NotFound, Conflict, PreconditionFailed."""
        resource = self.show(transaction, access, id, lock=True)
        self._check_etag(resource, if_match)
        if resource.spec.deletion_begin is not None:
            raise Conflict(reason=f"{self.kind.name} {id} is being deleted")
        return resource

    def change(
        self,
        transaction: Transaction,
        access: Access,
        resource: Resource[S, T],
        action: str,
        values: Change,
    ) -> Resource[S, T]:
        """Write new values of spec columns, and down who did it."""
        before = {name: getattr(resource.spec, name, None) for name in values}
        effective = {name: value for name, value in values.items() if value != before[name]}
        if effective:
            self._check_unique(
                transaction,
                {**msgspec.structs.asdict(resource.spec), **effective},
                resource.id,
                changed=effective.keys(),
            )
            self._check_references(transaction, access, effective)
            spec = self.store.change_spec(transaction, resource.id, effective)
            resource = replace(resource, spec=spec)
            self._wake_targets(transaction, before)
        old = {name: before[name] for name in effective}
        self._write_down(transaction, access, action, resource, old, effective)
        return resource

    def acted(
        self,
        transaction: Transaction,
        access: Access,
        resource: Resource[S, T],
        action: str,
        what: Change,
    ) -> Resource[S, T]:
        """Write down an action that changed something beside the spec, and ask for a look."""
        return self._written(transaction, access, action, resource.id, None, what)

    def _written(
        self,
        transaction: Transaction,
        access: Access,
        action: str,
        id: int,
        old: Change | None,
        new: Change | None,
    ) -> Resource[S, T]:
        """What was written is written down, and read again for the answer."""
        resource = self.store.get(transaction, id, labels=action != "create")  # what is new has none
        if resource is None:
            raise NotFound(kind=self.kind.name, id=id)
        self._write_down(transaction, access, action, resource, old, new)
        return resource

    def _write_down(
        self,
        transaction: Transaction,
        access: Access,
        action: str,
        resource: Resource[S, T],
        old: Change | None,
        new: Change | None,
    ) -> None:
        """Everything that goes with a change of a spec row: the work rows and the audit."""
        work.ask(transaction, self.kind.name, resource.id)
        self._wake_targets(transaction, msgspec.structs.asdict(resource.spec))
        record_audit(
            transaction,
            access,
            action,
            resource_type=self.kind.name,
            resource_id=resource.id,
            resource_name=resource.spec.name,
            old_data=self._documented(old),
            new_data=self._documented(new),
        )

    def _wake_targets(self, transaction: Transaction, spec: Change) -> None:
        for reference in self.kind.references:
            target = spec.get(reference.field)
            if isinstance(target, int):
                work.ask(transaction, reference.kind, target)

    # -- checks --------------------------------------------------------------------------------------

    def _within_reach(self, access: Access) -> list[ColumnElement[bool]]:
        own = None if access.reach is Reach.ALL else self.own(access)
        return [] if own is None else [own]

    def _reaches(self, transaction: Transaction, access: Access, id: int) -> bool:
        within = self._within_reach(access)
        return not within or self.store.count(transaction, self.columns.id == id, *within) == 1

    def _check_etag(self, resource: Resource[S, T], if_match: str | None) -> None:
        if if_match not in (None, "*") and resource.spec.etag != if_match:
            raise PreconditionFailed(kind=self.kind.name, id=resource.id, etag=resource.spec.etag)

    def _check_unique(
        self,
        transaction: Transaction,
        spec: Change,
        ignore: int | None,
        *,
        changed: Set[str] | None = None,
    ) -> None:
        """Raise Conflict for values that another resource has. `changed` of None: all are new.

        As in the index of the database, what is null is equal to nothing.
        """
        for names in self.kind.unique:
            if changed is not None and changed.isdisjoint(names):
                continue
            if any(spec[name] is None for name in names):
                continue
            same = [self.columns[name] == spec[name] for name in names]
            others = [self.columns.id != ignore] if ignore is not None else []
            if self.store.count(transaction, self.columns.deletion_begin.is_(None), *same, *others):
                values = ", ".join(f"{name} {spec[name]!r}" for name in names)
                raise Conflict(reason=f"there is already a {self.kind.name} with {values}")

    def _check_references(self, transaction: Transaction, access: Access, spec: Change) -> None:
        for reference in self.kind.references:
            target = spec.get(reference.field)
            if target is not None:
                self._check_reference(transaction, access, reference, target)

    def _check_reference(
        self, transaction: Transaction, access: Access, reference: Reference, target: object
    ) -> None:
        kind = self.catalogue[reference.kind]
        found = self._store_of(kind).hold(transaction, target) if isinstance(target, int) else None
        foreign = (
            found is not None
            and kind.scope is Scope.PROJECT
            and access.reach is not Reach.ALL
            and found.spec.project_id != access.project_id
            and not (kind.shared_by is not None and getattr(found.spec, kind.shared_by))
        )
        if found is None or foreign:
            raise Invalid(field=f"spec.{reference.field}", reason=f"there is no {kind.name} {target}")
        if found.spec.deletion_begin is not None:
            raise Conflict(reason=f"{kind.name} {target} is being deleted")

    def _check_unreferenced(self, transaction: Transaction, id: int) -> None:
        for kind, reference in self.catalogue.referrers(self.kind.name):
            if reference.weak:
                continue
            users = self._store_of(kind).count_with_value(transaction, reference.field, id)
            if users:
                raise Conflict(
                    reason=f"{users} {kind.name} still in {self.kind.name} {id}: delete or move them first"
                )

    def _store_of(self, kind: AnyKind) -> Store[Any, Any]:
        store = self._stores.get(kind.name)
        return self._stores.setdefault(kind.name, Store(kind)) if store is None else store

    def _documented(self, values: Change | None) -> dict[str, Any] | None:
        """The values as the audit log keeps them: without private columns, in which secrets live."""
        if values is None:
            return None
        hidden = frozenset(self.kind.private.__struct_fields__ if self.kind.private else ())
        return {name: msgspec.to_builtins(value) for name, value in values.items() if name not in hidden}
