"""What groups there can be. Called by faces, and by the service of groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from stratal.kernel.access import Access
from stratal.kernel.errors import Conflict, NotFound
from stratal.kernel.transaction import Transaction
from stratal.storage.block.group_rows import audit
from stratal.storage.block.model import GROUP, GROUP_TYPE
from stratal.storage.block.traits import checked_metadata


@dataclass(frozen=True, kw_only=True)
class GroupType:
    """What groups there can be; its specs are for people to read."""

    uuid: str
    name: str
    description: str | None
    is_public: bool
    specs: dict[str, str]
    created_at: datetime


class GroupTypes:
    def all(self, transaction: Transaction, access: Access) -> list[GroupType]:
        # whoever may read catalogues reaches all of them: what is private is the administrators'
        sees_all = "system_admin" in access.roles
        where = [] if sees_all else [GROUP_TYPE.c.is_public.is_(True)]
        statement = select(GROUP_TYPE).where(*where).order_by(GROUP_TYPE.c.created_at.desc())
        return [GroupType(**row) for row in transaction.execute(statement).mappings()]

    def show(self, transaction: Transaction, access: Access, text: str) -> GroupType:
        """By id or name. Raises NotFound."""
        for found in self.all(transaction, access):
            if text in (found.uuid, found.name):
                return found
        raise NotFound(kind="group type", id=text)

    def create(
        self, transaction: Transaction, access: Access, name: str, description: str | None, *, is_public: bool
    ) -> GroupType:
        """Raises Conflict for a name that is taken."""
        if transaction.execute(select(GROUP_TYPE.c.uuid).where(GROUP_TYPE.c.name == name)).first():
            raise Conflict(reason=f"Group Type {name} already exists.")
        row: dict[str, Any] = {
            "uuid": transaction.entropy.uuid(),
            "name": name,
            "description": description,
            "is_public": is_public,
            "specs": {},
            "created_at": transaction.now,
        }
        transaction.execute(GROUP_TYPE.insert(), row)
        audit(transaction, access, "create", GROUP_TYPE, row["uuid"])
        return GroupType(**row)

    def change(
        self, transaction: Transaction, access: Access, uuid: str, values: Mapping[str, Any]
    ) -> GroupType:
        found = self.show(transaction, access, uuid)
        changes = dict(values)
        if "specs" in changes:
            changes["specs"] = checked_metadata(changes["specs"], field="group_specs")
        if changes:
            transaction.execute(GROUP_TYPE.update().where(GROUP_TYPE.c.uuid == found.uuid).values(**changes))
        return self.show(transaction, access, found.uuid)

    def delete(self, transaction: Transaction, access: Access, uuid: str) -> None:
        """Raises Conflict while groups have it."""
        found = self.show(transaction, access, uuid)
        if transaction.execute(select(GROUP.c.uuid).where(GROUP.c.group_type_uuid == found.uuid)).first():
            raise Conflict(reason=f"Group type {found.uuid} is in use.")
        transaction.execute(delete(GROUP_TYPE).where(GROUP_TYPE.c.uuid == found.uuid))
        audit(transaction, access, "delete", GROUP_TYPE, found.uuid)
