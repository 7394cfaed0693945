"""Which signatures were used, so that none is accepted twice for a request that changes something.

Called by the EVS face, once a signature was found to be right: only holders of a key can add rows, and a row
goes when its signature would be too old anyway.
"""

import hashlib
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Index, Table, Text, delete

from stratal.kernel.columns import UtcTime
from stratal.kernel.tables import METADATA
from stratal.kernel.transaction import Transaction

USED_SIGNATURE: Final = Table(
    "used_signature",
    METADATA,
    # SHA-256 of the key's name and the signature
    Column("digest", Text, primary_key=True),
    Column("expires_at", UtcTime, nullable=False),
)
Index("ix_used_signature_expires_at", USED_SIGNATURE.c.expires_at)


class UsedSignatures:
    def use(self, transaction: Transaction, access: str, signature: str, *, until: datetime) -> bool:
        """Write down that a signature is used up. False: it was before, by whomever.

        `until` is when it is refused for its age.
        """
        digest = hashlib.sha256(f"{access} {signature}".encode()).hexdigest()
        row = {"digest": digest, "expires_at": until}
        statement = transaction.insert(USED_SIGNATURE).values(**row).on_conflict_do_nothing()
        return transaction.execute(statement.returning(USED_SIGNATURE.c.digest)).first() is not None

    def forget_expired(self, transaction: Transaction) -> int:
        """Remove what nobody could use again. Returns how many."""
        statement = delete(USED_SIGNATURE).where(USED_SIGNATURE.c.expires_at <= transaction.now)
        return transaction.execute(statement).rowcount
