"""Making and ending application credentials, and checking their secrets. Called by the EVS face.

A credential is a user's, for one project, and ends with its user, with their membership, or at its own
time. Secrets that Stratal makes have 256 random bits; users may choose their own, so all are kept as the
verifiers that passwords have.
"""

from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Index, Table, Text, select

from stratal.identity.passwords import Verifiers
from stratal.kernel.access import Access, Reach
from stratal.kernel.columns import UtcTime
from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, NotFound, Unauthenticated
from stratal.kernel.journal import AuditStatus, record_audit
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction

APPLICATION_CREDENTIAL: Final = Table(
    "application_credential",
    METADATA,
    Column("uuid", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("project_id", BigInteger, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("unrestricted", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
)
Index(
    "uq_application_credential_user_id_name",
    APPLICATION_CREDENTIAL.c.user_id,
    APPLICATION_CREDENTIAL.c.name,
    unique=True,
)


class ApplicationCredential(msgspec.Struct, frozen=True, kw_only=True):
    """A credential without its secret."""

    uuid: str
    name: str
    description: str
    user_id: int
    project_id: int
    unrestricted: bool
    created_at: datetime
    expires_at: datetime | None


class NewApplicationCredential(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of a new one, its secret turned into a verifier."""

    name: str
    description: str
    verifier: str
    unrestricted: bool
    expires_at: datetime | None


class ApplicationCredentialService:
    """Everybody's own credentials. None of these calls reaches another user's."""

    def __init__(self, database: Database, verifiers: Verifiers) -> None:
        self._database = database
        self._verifiers = verifiers

    def verifier_of(self, secret: str) -> str:
        """What is kept of a secret. Blocks for the time of a password's verification."""
        return self._verifiers.of_clear(secret)

    def create(
        self, transaction: Transaction, access: Access, body: NewApplicationCredential
    ) -> ApplicationCredential:
        """A credential for the caller, in the project of their token. Raises Conflict."""
        if access.project_id is None:
            raise Conflict(reason="this token is not for a project, and so cannot be the model of another")
        same = APPLICATION_CREDENTIAL.c.name == body.name, APPLICATION_CREDENTIAL.c.user_id == access.user_id
        if transaction.execute(select(APPLICATION_CREDENTIAL.c.uuid).where(*same)).first() is not None:
            raise Conflict(reason=f"there is already an application credential with the name {body.name!r}")
        row: dict[str, Any] = {
            "uuid": transaction.entropy.uuid().replace("-", ""),
            "name": body.name,
            "description": body.description,
            "user_id": access.user_id,
            "project_id": access.project_id,
            "unrestricted": body.unrestricted,
            "created_at": transaction.now,
            "expires_at": body.expires_at,
        }
        transaction.execute(APPLICATION_CREDENTIAL.insert(), {**row, "verifier": body.verifier})
        self._audit(transaction, access, "create", body.name)
        return ApplicationCredential(**row)

    def list(self, transaction: Transaction, access: Access) -> list[ApplicationCredential]:
        statement = (
            select(*_SHOWN)
            .where(APPLICATION_CREDENTIAL.c.user_id == access.user_id)
            .order_by(APPLICATION_CREDENTIAL.c.created_at)
        )
        return [ApplicationCredential(**row) for row in transaction.execute(statement).mappings()]

    def show(self, transaction: Transaction, access: Access, uuid: str) -> ApplicationCredential:
        """Raises NotFound."""
        row = (
            transaction.execute(select(*_SHOWN).where(APPLICATION_CREDENTIAL.c.uuid == uuid))
            .mappings()
            .first()
        )
        if row is None or (row["user_id"] != access.user_id and access.reach is not Reach.ALL):
            raise NotFound(kind="application_credential", id=uuid)
        return ApplicationCredential(**row)

    def delete(self, transaction: Transaction, access: Access, uuid: str) -> None:
        """End it: no more logins with it. Raises NotFound."""
        found = self.show(transaction, access, uuid)
        transaction.execute(APPLICATION_CREDENTIAL.delete().where(APPLICATION_CREDENTIAL.c.uuid == uuid))
        self._audit(transaction, access, "delete", found.name)

    def verified(
        self, secret: str, *, uuid: str | None, user: int | None, name: str | None
    ) -> ApplicationCredential:
        """The credential with this id, or of this user with this name, if that is its secret.

        Blocks, and takes as long for one that does not exist. Raises Unauthenticated.
        """

        def find(transaction: Transaction) -> Any:
            columns = APPLICATION_CREDENTIAL.c
            where = (
                [columns.uuid == uuid]
                if uuid is not None
                else [columns.user_id == user, columns.name == name]
            )
            return transaction.execute(select(*_SHOWN, columns.verifier).where(*where)).mappings().first()

        row: dict[str, Any] | None = self._database.read(find)
        right = self._verifiers.matches_clear(None if row is None else row["verifier"], secret)
        if row is None or not right:
            raise Unauthenticated(reason="there is no such application credential, or the secret is wrong")
        shown: dict[str, Any] = {each: row[each] for each in ApplicationCredential.__struct_fields__}
        found = ApplicationCredential(**shown)
        if found.expires_at is not None and found.expires_at <= self._database.clock.now():
            raise Unauthenticated(reason="the application credential has expired")
        return found

    @staticmethod
    def _audit(transaction: Transaction, access: Access, action: str, name: str) -> None:
        record_audit(
            transaction,
            access,
            action,
            resource_type="application_credential",
            resource_name=name,
            status=AuditStatus.SUCCEEDED,
        )


_SHOWN = [APPLICATION_CREDENTIAL.c[name] for name in ApplicationCredential.__struct_fields__]
