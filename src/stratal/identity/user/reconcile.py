"""Shows of a user what was noted at their logins, and counts their projects."""

import msgspec
from sqlalchemy import select

from stratal.identity.memberships import count_members, drop_members
from stratal.identity.tables import LOGIN_RECORD, TOKEN
from stratal.identity.user.model import USER, UserSpec, UserStatus
from stratal.kernel.reconcile import Gone, Look, RecordReconciler
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction


class UserReconciler(RecordReconciler[UserSpec, UserStatus]):
    def __init__(self) -> None:
        super().__init__(USER)
        self._store = Store(USER)

    def observe(self, transaction: Transaction, resource: Resource[UserSpec, UserStatus]) -> UserStatus:
        record = transaction.execute(
            select(LOGIN_RECORD.c.failure_num, LOGIN_RECORD.c.last_login_at).where(
                LOGIN_RECORD.c.user_id == resource.id
            )
        ).first()
        return msgspec.structs.replace(
            resource.status,
            last_login_at=record.last_login_at if record else None,
            login_failure_num=record.failure_num if record else 0,
            password_last_update=self._store.private(transaction, resource.id, "password_set_at"),
            project_num=count_members(transaction, user_id=resource.id),
        )

    def remove(self, resource: Resource[UserSpec, UserStatus], look: Look) -> Gone:
        def leave_nothing(transaction: Transaction) -> None:
            drop_members(transaction, user_id=resource.id)
            transaction.execute(TOKEN.delete().where(TOKEN.c.user_id == resource.id))
            transaction.execute(LOGIN_RECORD.delete().where(LOGIN_RECORD.c.user_id == resource.id))

        look.write(leave_nothing)
        return Gone()
