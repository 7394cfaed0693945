"""Logging in and out, and finding out whose token a request carries.

Tokens are 128 random bits. The database keeps their SHA-256, so who reads it cannot use them, and finding
one by its digest tells nothing about how much of a guess was right.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    delete,
    select,
)

from stratal.identity.credentials import Credentials
from stratal.identity.policy import RoleName
from stratal.identity.tables import LOGIN_RECORD, TOKEN
from stratal.identity.token.callers import OWNER_OF_TOKEN, USER_BY_NAME, USERS, caller_of, in_project
from stratal.identity.token.model import Login, Reauth, Session, TokenDetail
from stratal.identity.user.model import USER
from stratal.kernel import work
from stratal.kernel.access import Access
from stratal.kernel.database import Database
from stratal.kernel.errors import Invalid, Unauthenticated
from stratal.kernel.journal import AuditStatus, Level, record_audit, record_event
from stratal.kernel.transaction import Transaction

_REFUSED = "the name or the password is wrong, or this user may not log in now"


@dataclass(frozen=True, kw_only=True)
class LoginLimits:
    """What an administrator has settled about logins."""

    session: timedelta
    max_failures: int
    lockout: timedelta


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """The user that a login is about."""

    id: int
    verifier: str
    default_project_id: int | None
    may_try: bool


class TokenService:
    def __init__(
        self,
        database: Database,
        credentials: Credentials,
        limits: Callable[[Transaction], LoginLimits],
    ) -> None:
        self._database = database
        self._credentials = credentials
        self._limits = limits

    # -- logging in ----------------------------------------------------------------------------------

    def log_in(self, access: Access, body: Login) -> Session:
        """Check the password and make a token. Blocks for the time that a verification takes.

        Raises Unauthenticated, the same for every reason, so that nobody learns which users there are.
        """
        candidate = self._database.read(lambda transaction: self._candidate(transaction, body.name))
        may_try = candidate is not None and candidate.may_try
        right = self._credentials.matches(candidate.verifier if candidate and may_try else None, body)
        if candidate is None or not may_try:
            raise Unauthenticated(reason=_REFUSED)
        if not right:
            self._database.write(lambda transaction: self._failed(transaction, access, candidate, body.name))
            raise Unauthenticated(reason=_REFUSED)
        better = self._credentials.refreshed(candidate.verifier, body)
        return self._database.write(
            lambda transaction: self._succeeded(transaction, access, candidate, body, better)
        )

    def _candidate(self, transaction: Transaction, name: str) -> _Candidate | None:
        users = USER.tables.spec
        row: Any = transaction.execute(
            select(
                users.c.id,
                users.c.password_verifier,
                users.c.default_project_id,
                users.c.enabled,
                users.c.login_allowed,
                LOGIN_RECORD.c.locked_until,
            )
            .join_from(users, LOGIN_RECORD, LOGIN_RECORD.c.user_id == users.c.id, isouter=True)
            .where(users.c.name == name, users.c.deletion_begin.is_(None), users.c.deleted_at.is_(None))
        ).first()
        if row is None:
            return None
        lock_over = row.locked_until is not None and row.locked_until <= transaction.now
        return _Candidate(
            id=row.id,
            verifier=row.password_verifier,
            default_project_id=row.default_project_id,
            may_try=row.enabled and (row.login_allowed or lock_over),
        )

    def _held_candidate(self, transaction: Transaction, user_id: int, name: str) -> _Candidate | None:
        """The candidate as it is now, and stays until the transaction ends: logins of a user take turns."""
        _hold(transaction, user_id)
        # a statement of its own: the one that waits for a lock does not see all that changed meanwhile
        return self._candidate(transaction, name)

    def _failed(self, transaction: Transaction, access: Access, user: _Candidate, name: str) -> None:
        self._audit(transaction, access, "login", user.id, name, AuditStatus.FAILED)
        again = self._held_candidate(transaction, user.id, name)
        if again is None or not again.may_try:
            # somebody locked them out while we verified: neither for longer, nor for less, than they meant
            return
        limits = self._limits(transaction)
        statement = transaction.insert(LOGIN_RECORD).values(user_id=user.id, failure_num=1)
        failures = transaction.execute(
            statement.on_conflict_do_update(
                index_elements=[LOGIN_RECORD.c.user_id],
                set_={"failure_num": LOGIN_RECORD.c.failure_num + 1},
            ).returning(LOGIN_RECORD.c.failure_num)
        ).scalar_one()
        if failures >= limits.max_failures:
            transaction.execute(
                LOGIN_RECORD.update()
                .where(LOGIN_RECORD.c.user_id == user.id)
                .values(locked_until=transaction.now + limits.lockout)
            )
            users = USER.tables.spec
            transaction.execute(users.update().where(users.c.id == user.id).values(login_allowed=False))
            record_event(
                transaction,
                "user_locked_out",
                level=Level.WARNING,
                message=f"{name} was locked out after {failures} failed logins",
                resource_type=USER.name,
                resource_id=user.id,
                resource_name=name,
            )
        work.ask(transaction, USER.name, user.id)

    def _succeeded(
        self, transaction: Transaction, access: Access, user: _Candidate, body: Login, better: str | None
    ) -> Session:
        again = self._held_candidate(transaction, user.id, body.name)
        if again is None or not again.may_try or again.verifier != user.verifier:
            raise Unauthenticated(reason=_REFUSED)  # locked out, disabled or changed while we verified
        session = self._issue(transaction, user.id, self._project_of_login(transaction, user, body))
        done = {"failure_num": 0, "locked_until": None, "last_login_at": transaction.now}
        statement = transaction.insert(LOGIN_RECORD).values(user_id=user.id, **done)
        transaction.execute(
            statement.on_conflict_do_update(index_elements=[LOGIN_RECORD.c.user_id], set_=done)
        )
        users = USER.tables.spec
        changes: dict[str, Any] = {"login_allowed": True}
        if better is not None:
            changes["password_verifier"] = better
        transaction.execute(users.update().where(users.c.id == user.id).values(**changes))
        work.ask(transaction, USER.name, user.id)
        self._audit(transaction, access, "login", user.id, body.name, AuditStatus.SUCCEEDED)
        return session

    # -- tokens --------------------------------------------------------------------------------------

    def log_out(self, transaction: Transaction, access: Access, token: str) -> None:
        """End the token that the request came with. Idempotent."""
        transaction.execute(delete(TOKEN).where(TOKEN.c.digest == digest_of(token)))
        self._audit(transaction, access, "logout", access.user_id, access.user_name, AuditStatus.SUCCEEDED)

    def reauthenticate(self, transaction: Transaction, access: Access, token: str, body: Reauth) -> Session:
        """Swap the token for one that is for another project. The old one ends."""
        _hold(transaction, access.user_id)
        if transaction.execute(delete(TOKEN).where(TOKEN.c.digest == digest_of(token))).rowcount == 0:
            raise Unauthenticated(reason="the token has just been ended")
        self._check_may_enter(transaction, access.user_id, body.project_id)
        session = self._issue(transaction, access.user_id, body.project_id)
        self._audit(
            transaction,
            access,
            "reauth-in-project",
            access.user_id,
            access.user_name,
            AuditStatus.SUCCEEDED,
        )
        return session

    def authenticate(
        self, transaction: Transaction, token: str, *, client_ip: str, request_id: str
    ) -> tuple[Access, bool]:
        """Whose token this is, and whether its user must first change the password.

        Raises Unauthenticated for a token that is unknown, ended or expired, or whose user is.
        """
        rows = transaction.rows(OWNER_OF_TOKEN, {"digest": digest_of(token), "now": transaction.now})
        if not rows:
            raise Unauthenticated(reason="the token is unknown or has expired")
        return caller_of(rows[0], client_ip, request_id)

    def anonymous(
        self, transaction: Transaction, name: str, *, client_ip: str, request_id: str
    ) -> tuple[Access, bool]:
        """Who a request without a token acts as, where anonymous access is switched on."""
        row = transaction.execute(USER_BY_NAME, {"name": name}).first()
        if row is None:
            raise Unauthenticated(reason=f"anonymous access is set to the user {name}, who cannot be used")
        return caller_of(row, client_ip, request_id)

    def issue(
        self,
        transaction: Transaction,
        user_id: int,
        project_id: int | None,
        *,
        until: datetime | None = None,
    ) -> Session:
        """A token for a user who has shown otherwise who they are, for a project or for none.

        Raises Invalid for a project that they may not enter, Unauthenticated for a user who may not log in.
        """
        _hold(transaction, user_id)
        if project_id is not None:
            self._check_may_enter(transaction, user_id, project_id)
        return self._issue(transaction, user_id, project_id, until=until)

    def caller(
        self,
        transaction: Transaction,
        user_id: int,
        project_id: int | None,
        *,
        client_ip: str,
        request_id: str,
    ) -> tuple[Access, bool]:
        """Who this user is in this project, for requests that carry a signature in place of a token.

        Raises Unauthenticated.
        """
        row: Any = transaction.execute(in_project(project_id).where(USERS.c.id == user_id)).first()
        if row is None or not row.login_allowed:
            raise Unauthenticated(reason=_REFUSED)
        if project_id is not None and not (row.project_role or row.user_role == RoleName.SYSTEM_ADMIN):
            raise Unauthenticated(reason="this user is not a member of the project")
        return caller_of(row, client_ip, request_id)

    def describe(self, transaction: Transaction, token: str) -> TokenDetail:
        """What a token is for. Raises Unauthenticated for one that `authenticate` would not take."""
        access, _ = self.authenticate(transaction, token, client_ip="", request_id="")
        row: Any = transaction.execute(select(TOKEN).where(TOKEN.c.digest == digest_of(token))).one()
        return TokenDetail(
            user_id=row.user_id,
            user_name=access.user_name,
            project_id=row.project_id,
            roles=sorted(access.roles),
            issued=row.created_at,
            expires=row.expires_at,
        )

    def forget_expired(self, transaction: Transaction) -> int:
        """Remove the rows of tokens that have expired. Returns how many."""
        return transaction.execute(delete(TOKEN).where(TOKEN.c.expires_at <= transaction.now)).rowcount

    def _issue(
        self,
        transaction: Transaction,
        user_id: int,
        project_id: int | None,
        *,
        until: datetime | None = None,
    ) -> Session:
        token = transaction.entropy.token()
        expires = transaction.now + self._limits(transaction).session
        expires = expires if until is None else min(expires, until)
        transaction.execute(
            TOKEN.insert(),
            {
                "digest": digest_of(token),
                "user_id": user_id,
                "project_id": project_id,
                "created_at": transaction.now,
                "expires_at": expires,
            },
        )
        access, _ = self.authenticate(transaction, token, client_ip="", request_id="")
        return Session(
            uuid=token,
            expires=expires,
            user_id=user_id,
            roles=sorted(access.roles),
            project_id=project_id,
        )

    def _project_of_login(self, transaction: Transaction, user: _Candidate, body: Login) -> int | None:
        if isinstance(body.project_id, int):
            self._check_may_enter(transaction, user.id, body.project_id)
            return body.project_id
        if user.default_project_id is None:
            return None
        try:
            self._check_may_enter(transaction, user.id, user.default_project_id)
        except Invalid:
            return None  # the default was chosen once and may have become closed since
        return user.default_project_id

    def _check_may_enter(self, transaction: Transaction, user_id: int, project_id: int) -> None:
        """Members may enter a project that is open; a system administrator any. The refusal is the same for
        a project that does not exist.
        """
        row: Any = transaction.execute(in_project(project_id).where(USERS.c.id == user_id)).first()
        admin = row is not None and row.user_role == RoleName.SYSTEM_ADMIN
        if row is None or row.open_project_id is None or not (row.project_role or admin):
            raise Invalid(
                field="spec.project_id", reason=f"there is no project {project_id} that you may enter"
            )

    @staticmethod
    def _audit(
        transaction: Transaction, access: Access, action: str, user_id: int, name: str, status: AuditStatus
    ) -> None:
        who = Access(
            user_id=user_id,
            user_name=name,
            project_id=access.project_id,
            roles=access.roles,
            client_ip=access.client_ip,
            request_id=access.request_id,
        )
        record_audit(transaction, who, action, resource_type="token", status=status)


def _hold(transaction: Transaction, user_id: int) -> None:
    """Keep everybody else from changing the user until the transaction ends."""
    transaction.execute(select(USERS.c.id).where(USERS.c.id == user_id).with_for_update())


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
