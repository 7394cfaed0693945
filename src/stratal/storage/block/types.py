"""Volume types: block-storage policies, with what OpenStack's types have beside. Called by faces.

A type is a policy: where its volumes are kept and how fast they may be. Extra specs, QoS specs, and whom a
private type is for are rows beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, delete, exists, func, literal, or_, select

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import Conflict, Invalid, NotFound
from stratal.kernel.transaction import Transaction
from stratal.storage.block.model import DEFAULT_TYPE, TYPE_ACCESS, TYPE_TRAITS
from stratal.storage.block.traits import checked_metadata
from stratal.storage.bs_policy.model import BS_POLICY, BsPolicyCreate, BsPolicyUpdate
from stratal.storage.bs_policy.service import BsPolicyService
from stratal.storage.bs_volume.model import BS_VOLUME

_policy = BS_POLICY.tables.spec

_DEFAULTS: Final[dict[str, Any]] = {
    "is_public": True,
    "extra_specs": {},
    "qos_uuid": None,
    "encryption": None,
    "disabled": False,
    "disabled_reason": None,
}


@dataclass(frozen=True, kw_only=True)
class VolumeType:
    """All there is to say of a type."""

    id: int
    uuid: str
    name: str
    description: str | None
    is_public: bool
    extra_specs: dict[str, str]
    qos_uuid: str | None
    encryption: dict[str, Any] | None
    disabled: bool
    disabled_reason: str | None


class VolumeTypes:
    def __init__(self, policies: BsPolicyService) -> None:
        self._policies = policies

    def all(
        self, transaction: Transaction, access: Access, *, is_public: bool | None = None
    ) -> Sequence[VolumeType]:
        """The types that the caller may use; administrators see all, or the public or private ones."""
        where = self._usable(access)
        if is_public is not None:
            where.append(func.coalesce(TYPE_TRAITS.c.is_public, True).is_(is_public))
        return self._find(transaction, *where)

    def show(self, transaction: Transaction, access: Access, id: int) -> VolumeType:
        """Raises NotFound, also for a private type that the caller may not use."""
        found = self._find(transaction, _policy.c.id == id, *self._usable(access))
        if not found:
            raise NotFound(kind="bs_policy", id=id)
        return found[0]

    def named(self, transaction: Transaction, access: Access, name: str) -> VolumeType | None:
        found = self._find(transaction, _policy.c.name == name, *self._usable(access))
        return found[0] if found else None

    def default(self, transaction: Transaction, project_id: int | None = None) -> int:
        """The type of volumes whose makers name none: the project's own, else the oldest one.

        Raises Invalid where there is none.
        """
        own = (
            select(_policy.c.id)
            .join(DEFAULT_TYPE, DEFAULT_TYPE.c.bs_policy_id == _policy.c.id)
            .where(DEFAULT_TYPE.c.project_id == project_id, _policy.c.deletion_begin.is_(None))
        )
        if project_id is not None and (chosen := transaction.execute(own).scalar()) is not None:
            return int(chosen)
        oldest = select(func.min(_policy.c.id)).where(_policy.c.deletion_begin.is_(None))
        id = transaction.execute(oldest).scalar()
        if id is None:
            raise Invalid(field="volume_type", reason="there is no policy, and so no default type")
        return int(id)

    def prepare_create(self, access: Access, name: str, description: str | None) -> BsPolicyCreate:
        """What looks at the disk before a type is made, outside of a transaction."""
        return self._policies.prepare_create(access, BsPolicyCreate(name=name, description=description or ""))

    def create(
        self, transaction: Transaction, access: Access, body: BsPolicyCreate, *, is_public: bool
    ) -> VolumeType:
        """A type in the default place of the default driver. Raises Conflict for a name that is taken."""
        policy = self._policies.create(transaction, access, body)
        self._put(transaction, policy.id, is_public=is_public)
        return self.show(transaction, access, policy.id)

    def update(
        self,
        transaction: Transaction,
        access: Access,
        id: int,
        changes: Mapping[str, str],
        *,
        is_public: bool | None = None,
    ) -> VolumeType:
        """Another name, description or audience."""
        if changes:
            self._policies.update(transaction, access, id, msgspec.convert(dict(changes), BsPolicyUpdate))
        if is_public is not None:
            self._put(transaction, id, is_public=is_public)
        return self.show(transaction, access, id)

    def delete(self, transaction: Transaction, access: Access, id: int) -> None:
        """Raises Conflict for the default type, and for one that volumes have."""
        chosen = select(DEFAULT_TYPE.c.project_id).where(DEFAULT_TYPE.c.bs_policy_id == id)
        if id == self.default(transaction) or transaction.execute(chosen).first() is not None:
            raise Conflict(reason="a default volume type cannot be deleted")
        self._policies.delete(transaction, access, id)
        transaction.execute(delete(TYPE_ACCESS).where(TYPE_ACCESS.c.bs_policy_id == id))

    def set_specs(
        self, transaction: Transaction, access: Access, id: int, specs: Mapping[str, str]
    ) -> dict[str, str]:
        """Add to the extra specs."""
        type_ = self.show(transaction, access, id)
        merged = checked_metadata({**type_.extra_specs, **specs}, field="extra_specs")
        self._put(transaction, id, extra_specs=merged)
        return merged

    def drop_spec(self, transaction: Transaction, access: Access, id: int, key: str) -> None:
        """Raises NotFound."""
        type_ = self.show(transaction, access, id)
        if key not in type_.extra_specs:
            raise NotFound(kind="extra_spec", id=key)
        left = {name: value for name, value in type_.extra_specs.items() if name != key}
        self._put(transaction, id, extra_specs=left)

    def associate(self, transaction: Transaction, id: int, qos_uuid: str | None) -> None:
        """Give the type these QoS specs, or none."""
        self._put(transaction, id, qos_uuid=qos_uuid)

    def projects_of(self, transaction: Transaction, access: Access, id: int) -> Sequence[int]:
        """Whom a private type is for. Raises NotFound for a public one."""
        if self.show(transaction, access, id).is_public:
            raise NotFound(kind="access list of the public type", id=id)
        statement = select(TYPE_ACCESS.c.project_id).where(TYPE_ACCESS.c.bs_policy_id == id)
        return list(transaction.execute(statement).scalars())

    def add_project(self, transaction: Transaction, access: Access, id: int, project_id: int) -> None:
        """Raises Conflict for a public type and for a project that has it already."""
        if self.show(transaction, access, id).is_public:
            raise Conflict(reason="a public type is for everybody")
        if project_id in self.projects_of(transaction, access, id):
            raise Conflict(reason="the type is for this project already")
        transaction.execute(TYPE_ACCESS.insert(), {"bs_policy_id": id, "project_id": project_id})

    def drop_project(self, transaction: Transaction, access: Access, id: int, project_id: int) -> None:
        """Raises NotFound."""
        self.show(transaction, access, id)
        statement = delete(TYPE_ACCESS).where(
            TYPE_ACCESS.c.bs_policy_id == id, TYPE_ACCESS.c.project_id == project_id
        )
        if not transaction.execute(statement).rowcount:
            raise NotFound(kind="type access", id=project_id)

    def defaults(self, transaction: Transaction) -> dict[int, int]:
        """The types that projects chose, by project."""
        rows = transaction.execute(select(DEFAULT_TYPE.c.project_id, DEFAULT_TYPE.c.bs_policy_id))
        return {row.project_id: row.bs_policy_id for row in rows}

    def set_default(
        self, transaction: Transaction, access: Access, project_id: int, id: int | None
    ) -> VolumeType | None:
        """Choose a project's default type; None: none of its own any more. Raises NotFound."""
        if id is None:
            transaction.execute(delete(DEFAULT_TYPE).where(DEFAULT_TYPE.c.project_id == project_id))
            return None
        found = self.show(transaction, access, id)
        insert = transaction.insert(DEFAULT_TYPE).values(project_id=project_id, bs_policy_id=id)
        transaction.execute(
            insert.on_conflict_do_update(
                index_elements=[DEFAULT_TYPE.c.project_id], set_={"bs_policy_id": id}
            )
        )
        return found

    def set_encryption(
        self, transaction: Transaction, access: Access, id: int, record: Mapping[str, Any] | None
    ) -> VolumeType:
        """Say how volumes of a type are to be encrypted, or not. Raises Conflict while it has any."""
        self.show(transaction, access, id)
        volumes = BS_VOLUME.tables.spec.c
        used = select(volumes.id).where(volumes.bs_policy_id == id, volumes.deleted_at.is_(None)).limit(1)
        if transaction.execute(used).first() is not None:
            raise Conflict(reason="the encryption of a volume type that volumes have cannot be changed")
        self._put(transaction, id, encryption=None if record is None else dict(record))
        return self.show(transaction, access, id)

    def set_disabled(
        self, transaction: Transaction, access: Access, id: int, *, disabled: bool, reason: str | None
    ) -> VolumeType:
        """Let there be no new volumes where a type keeps them, or let there be."""
        self.show(transaction, access, id)
        self._put(transaction, id, disabled=disabled, disabled_reason=reason)
        return self.show(transaction, access, id)

    def check_usable(self, transaction: Transaction, id: int) -> None:
        """Raises Invalid, Conflict unless new volumes may be of this type."""
        columns = TYPE_TRAITS.c
        statement = select(columns.encryption, columns.disabled).where(columns.bs_policy_id == id)
        row = transaction.execute(statement).first()
        if row is None:
            return
        if row.encryption is not None:
            raise Invalid(
                field="volume_type", reason="wants its volumes encrypted, and nothing here encrypts them"
            )
        if row.disabled:
            raise Conflict(reason="No valid backend was found: the service of this volume type is disabled")

    def check_same_place(self, transaction: Transaction, before: int, after: int) -> None:
        """Raises Invalid unless volumes can go from one type to the other as they lie."""
        statement = select(_policy.c.id, _policy.c.driver, _policy.c.place).where(
            _policy.c.id.in_((before, after))
        )
        places = {row.id: (row.driver, row.place) for row in transaction.execute(statement)}
        if before == after:
            raise Invalid(field="new_type", reason="is the type that the volume has")
        if places.get(before) != places.get(after):
            raise Invalid(
                field="new_type", reason="keeps its volumes in another place; volumes are not moved"
            )

    def _usable(self, access: Access) -> list[ColumnElement[bool]]:
        if access.reach is Reach.ALL and "system_admin" in access.roles:
            return []
        mine = exists(
            select(literal(1)).where(
                TYPE_ACCESS.c.bs_policy_id == _policy.c.id, TYPE_ACCESS.c.project_id == access.project_id
            )
        )
        return [or_(TYPE_TRAITS.c.is_public.is_(None), TYPE_TRAITS.c.is_public.is_(True), mine)]

    @staticmethod
    def _find(transaction: Transaction, *where: ColumnElement[bool]) -> Sequence[VolumeType]:
        statement = (
            select(_policy, TYPE_TRAITS)
            .join_from(_policy, TYPE_TRAITS, TYPE_TRAITS.c.bs_policy_id == _policy.c.id, isouter=True)
            .where(_policy.c.deletion_begin.is_(None), _policy.c.deleted_at.is_(None), *where)
            .order_by(_policy.c.created_at.desc(), _policy.c.id.desc())
        )
        return [
            VolumeType(
                id=row.id,
                uuid=row.uuid,
                name=row.name,
                description=row.description or None,
                is_public=row.is_public is not False,
                extra_specs=row.extra_specs or {},
                qos_uuid=row.qos_uuid,
                encryption=row.encryption,
                disabled=bool(row.disabled),
                disabled_reason=row.disabled_reason,
            )
            for row in transaction.execute(statement)
        ]

    @staticmethod
    def _put(transaction: Transaction, id: int, **values: Any) -> None:
        row = {"bs_policy_id": id, **_DEFAULTS, **values}
        insert = transaction.insert(TYPE_TRAITS).values(**row)
        transaction.execute(
            insert.on_conflict_do_update(index_elements=[TYPE_TRAITS.c.bs_policy_id], set_=values)
        )
