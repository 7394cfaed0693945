"""Reading the password out of a request, however it came, and checking passwords.

Called by the user and the token service before their transaction, in a thread, since all of it takes time
on purpose. What comes back holds a verifier, never a password.
"""

from typing import Protocol

import msgspec
from sqlalchemy import select

from stratal.identity.passwords import Verifiers, password_problem
from stratal.identity.rsa import RsaKeyPair, Undecryptable
from stratal.identity.tables import RSA_KEY
from stratal.kernel.database import Database
from stratal.kernel.errors import Invalid
from stratal.kernel.transaction import Transaction

Optional = str | msgspec.UnsetType


class PasswordBody(Protocol):
    """The fields by which a body carries a password."""

    password: Optional
    encrypted_password: Optional
    rsa_key_id: Optional


class WrongPassword(Exception):
    """Undecryptable, unknown key, or not the password: nobody is told which."""


class Credentials:
    """Decrypts, checks and verifies passwords."""

    def __init__(self, database: Database, verifiers: Verifiers, *, min_length: int) -> None:
        self._database = database
        self._verifiers = verifiers
        self._min_length = min_length

    def verifier_of_new(self, body: PasswordBody, user_name: str) -> str:
        """The verifier of the new password in `body`. Raises Invalid on the field that is wrong."""
        field = "spec.encrypted_password" if isinstance(body.encrypted_password, str) else "spec.password"
        try:
            password = self._password(body.password, body.encrypted_password, body.rsa_key_id)
        except WrongPassword:
            raise Invalid(
                field=field, reason="cannot be decrypted with the key rsa_key_id; get a new key"
            ) from None
        problem = password_problem(password, self._min_length, user_name)
        if problem is not None:
            raise Invalid(field=field, reason=problem)
        return self._verifiers.of_clear(password)

    def matches(self, verifier: str | None, body: PasswordBody) -> bool:
        """Whether the password in `body` is that of `verifier` (None: nobody's). Takes as long either way."""
        return self._matches(verifier, body.password, body.encrypted_password, body.rsa_key_id)

    def matches_original(
        self, verifier: str | None, clear: Optional, encrypted: Optional, rsa_key_id: Optional
    ) -> bool:
        """`matches`, for a password that stands beside another one."""
        return self._matches(verifier, clear, encrypted, rsa_key_id)

    def refreshed(self, verifier: str, body: PasswordBody) -> str | None:
        """A new verifier of the same, right password when the cost settings changed since; else None."""
        if not self._verifiers.needs_rehash(verifier):
            return None
        return self._verifiers.of_clear(
            self._password(body.password, body.encrypted_password, body.rsa_key_id)
        )

    def verifier_of_clear(self, password: str) -> str:
        """The verifier of a password that Stratal made itself."""
        return self._verifiers.of_clear(password)

    def _matches(self, verifier: str | None, clear: Optional, encrypted: Optional, key: Optional) -> bool:
        try:
            password = self._password(clear, encrypted, key)
        except WrongPassword:
            self._verifiers.matches_clear(None, "")
            return False
        return self._verifiers.matches_clear(verifier, password)

    def _password(self, clear: Optional, encrypted: Optional, rsa_key_id: Optional) -> str:
        if isinstance(clear, str) and encrypted is msgspec.UNSET and rsa_key_id is msgspec.UNSET:
            return clear
        if isinstance(encrypted, str) and isinstance(rsa_key_id, str) and clear is msgspec.UNSET:
            return self._decrypted(encrypted, rsa_key_id)
        raise Invalid(
            field="spec", reason="needs either a password, or encrypted_password together with rsa_key_id"
        )

    def decrypt(self, rsa_key_id: str, encrypted: str) -> str | None:
        """A text that was encrypted with a key that was handed out; None: nobody is told why not."""
        try:
            return self._decrypted(encrypted, rsa_key_id)
        except WrongPassword:
            return None

    def _decrypted(self, encrypted: str, rsa_key_id: str) -> str:
        def private_pem(transaction: Transaction) -> str | None:
            statement = select(RSA_KEY.c.private_pem).where(
                RSA_KEY.c.id == rsa_key_id, RSA_KEY.c.expires_at > transaction.now
            )
            return transaction.execute(statement).scalar_one_or_none()

        pem = self._database.read(private_pem)
        if pem is None:
            raise WrongPassword
        try:
            return RsaKeyPair.from_private_pem(pem).decrypt(encrypted)
        except Undecryptable:
            raise WrongPassword from None
