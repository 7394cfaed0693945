"""Identity's rows that are not resources: memberships, tokens, RSA keys, records of logins."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from stratal.kernel.columns import UtcTime
from stratal.kernel.tables import METADATA

MEMBERSHIP = Table(
    "membership",
    METADATA,
    Column("project_id", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("role_id", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
Index("ix_membership_user_id", MEMBERSHIP.c.user_id)

TOKEN = Table(
    "token",
    METADATA,
    # SHA-256 of the token: who reads the database cannot use what is in it
    Column("digest", Text, primary_key=True),
    Column("user_id", BigInteger, nullable=False),
    Column("project_id", BigInteger),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)
Index("ix_token_user_id", TOKEN.c.user_id)
Index("ix_token_expires_at", TOKEN.c.expires_at)

RSA_KEY = Table(
    "rsa_key",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("private_pem", Text, nullable=False),
    Column("public_pem", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)

LOGIN_RECORD = Table(
    "login_record",
    METADATA,
    Column("user_id", BigInteger, primary_key=True, autoincrement=False),
    Column("failure_num", Integer, nullable=False),
    Column("locked_until", UtcTime),
    Column("last_login_at", UtcTime),
)
