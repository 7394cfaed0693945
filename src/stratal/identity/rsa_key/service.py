"""Minting RSA keys. The private half never leaves the database.

Anybody may ask for a key, so asking must be cheap: a key is handed out again until it is half-way through
its life, and all who ask meanwhile get the same one.
"""

import threading
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import delete, select

from stratal.identity.rsa import RsaKeyPair
from stratal.identity.tables import RSA_KEY
from stratal.kernel.database import Database
from stratal.kernel.transaction import Transaction

LIFETIME = timedelta(minutes=10)


class RsaKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key to encrypt a password with: PKCS#1 v1.5, or OAEP with SHA-1 or SHA-256."""

    id: str
    #: PEM, SubjectPublicKeyInfo
    public_key: str
    expiration: datetime


class RsaKeyService:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._minting = threading.Lock()

    def mint(self) -> RsaKey:
        """A key that is good for five minutes at least. Takes the time of a key generation now and then."""
        fresh = self._database.read(self._current)
        if fresh is not None:
            return fresh
        with self._minting:
            fresh = self._database.read(self._current)
            if fresh is not None:
                return fresh
            pair = RsaKeyPair.mint()
            return self._database.write(lambda transaction: self._keep(transaction, pair))

    @staticmethod
    def _current(transaction: Transaction) -> RsaKey | None:
        row = transaction.execute(
            select(RSA_KEY.c.id, RSA_KEY.c.public_pem, RSA_KEY.c.expires_at)
            .where(RSA_KEY.c.expires_at > transaction.now + LIFETIME / 2)
            .order_by(RSA_KEY.c.expires_at.desc())
            .limit(1)
        ).first()
        if row is None:
            return None
        return RsaKey(id=row.id, public_key=row.public_pem, expiration=row.expires_at)

    @staticmethod
    def _keep(transaction: Transaction, pair: RsaKeyPair) -> RsaKey:
        key = RsaKey(
            id=transaction.entropy.token(),
            public_key=pair.public_pem,
            expiration=transaction.now + LIFETIME,
        )
        transaction.execute(delete(RSA_KEY).where(RSA_KEY.c.expires_at <= transaction.now))
        transaction.execute(
            RSA_KEY.insert(),
            {
                "id": key.id,
                "private_pem": pair.private_pem,
                "public_pem": key.public_key,
                "created_at": transaction.now,
                "expires_at": key.expiration,
            },
        )
        return key
