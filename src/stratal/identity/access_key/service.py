"""Making, listing and ending access keys, and finding whose one is. Called by the EVS face.

The secret of a key is stored as it is, because checking a signature takes it: a verifier will not do. It is
shown once, when it is made, and is in no log, no list and no audit row.
"""

from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, func, select

from stratal.identity.user.model import USER
from stratal.kernel.access import Access, Reach
from stratal.kernel.columns import UtcTime
from stratal.kernel.errors import Conflict, NotFound
from stratal.kernel.journal import AuditStatus, record_audit
from stratal.kernel.store import Store
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction

ACCESS_KEY: Final = Table(
    "access_key",
    METADATA,
    # 20 capital letters and digits, as Huawei's and Amazon's are
    Column("access", Text, primary_key=True),
    Column("secret", Text, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("description", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
Index("ix_access_key_user_id", ACCESS_KEY.c.user_id)

MOST_KEYS: Final = 10
"""Of one user. Huawei allows two; ten let every machine of a small team have its own."""
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_LENGTH: Final = 20


class AccessKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret."""

    access: str
    user_id: int
    description: str
    enabled: bool
    created_at: datetime


class AccessKeyService:
    """The access keys of users. `access.reach` is SELF for one's own keys and ALL for everybody's."""

    def __init__(self) -> None:
        self._users = Store(USER)

    def create(
        self, transaction: Transaction, access: Access, user_id: int, description: str
    ) -> tuple[AccessKey, str]:
        """A new key, and its secret, which is shown this once. Raises NotFound, Conflict."""
        self._check_user(transaction, access, user_id)
        count = select(func.count()).select_from(ACCESS_KEY).where(ACCESS_KEY.c.user_id == user_id)
        if transaction.execute(count).scalar_one() >= MOST_KEYS:
            raise Conflict(reason=f"a user has at most {MOST_KEYS} access keys: delete one first")
        secret = transaction.entropy.token() + transaction.entropy.token()[:8]
        row: dict[str, Any] = {
            "access": _name(transaction.entropy.token()),
            "user_id": user_id,
            "description": description,
            "enabled": True,
            "created_at": transaction.now,
        }
        transaction.execute(ACCESS_KEY.insert(), {**row, "secret": secret})
        self._audit(transaction, access, "create", row["access"])
        return AccessKey(**row), secret

    def list(self, transaction: Transaction, access: Access, user_id: int | None) -> list[AccessKey]:
        """The keys of a user; of None: of everybody that the caller may know of."""
        statement = select(*_SHOWN).order_by(ACCESS_KEY.c.created_at, ACCESS_KEY.c.access)
        if user_id is not None:
            statement = statement.where(ACCESS_KEY.c.user_id == user_id)
        if access.reach is not Reach.ALL:
            statement = statement.where(ACCESS_KEY.c.user_id == access.user_id)
        return [AccessKey(**row) for row in transaction.execute(statement).mappings()]

    def show(self, transaction: Transaction, access: Access, key: str) -> AccessKey:
        """Raises NotFound."""
        row = transaction.execute(select(*_SHOWN).where(ACCESS_KEY.c.access == key)).mappings().first()
        if row is None or (access.reach is not Reach.ALL and row["user_id"] != access.user_id):
            raise NotFound(kind="access_key", id=key)
        return AccessKey(**row)

    def update(
        self,
        transaction: Transaction,
        access: Access,
        key: str,
        *,
        description: str | None = None,
        enabled: bool | None = None,
    ) -> AccessKey:
        """Change what is given. Raises NotFound."""
        found = self.show(transaction, access, key)
        values: dict[str, Any] = {}
        if description is not None:
            values["description"] = description
        if enabled is not None:
            values["enabled"] = enabled
        if values:
            transaction.execute(ACCESS_KEY.update().where(ACCESS_KEY.c.access == key).values(**values))
            self._audit(transaction, access, "update", key)
        return msgspec.structs.replace(found, **values)

    def delete(self, transaction: Transaction, access: Access, key: str) -> None:
        """End a key at once. Raises NotFound."""
        self.show(transaction, access, key)
        transaction.execute(ACCESS_KEY.delete().where(ACCESS_KEY.c.access == key))
        self._audit(transaction, access, "delete", key)

    def secret_of(self, transaction: Transaction, key: str) -> tuple[int, str] | None:
        """Whose key this is, and its secret; None for one that is unknown or disabled."""
        row: Any = transaction.execute(
            select(ACCESS_KEY.c.user_id, ACCESS_KEY.c.secret).where(
                ACCESS_KEY.c.access == key, ACCESS_KEY.c.enabled.is_(True)
            )
        ).first()
        return None if row is None else (int(row.user_id), str(row.secret))

    def _check_user(self, transaction: Transaction, access: Access, user_id: int) -> None:
        user = self._users.hold(transaction, user_id)
        foreign = access.reach is not Reach.ALL and user_id != access.user_id
        if user is None or user.spec.deletion_begin is not None or foreign:
            raise NotFound(kind="user", id=user_id)

    @staticmethod
    def _audit(transaction: Transaction, access: Access, action: str, key: str) -> None:
        record_audit(
            transaction,
            access,
            action,
            resource_type="access_key",
            resource_name=key,
            status=AuditStatus.SUCCEEDED,
        )


_SHOWN = [ACCESS_KEY.c[name] for name in AccessKey.__struct_fields__]


def _name(random: str) -> str:
    """120 random bits of 32 hexadecimal digits as 20 letters and digits."""
    number = int(random, 16)
    letters = ""
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_LETTERS))
        letters += _LETTERS[digit]
    return letters
