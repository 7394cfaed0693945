"""The identity domain on a database, with a clock that tests move. No server, no engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from declared_tables import create_tables
from stratal.cluster import KINDS as CLUSTER_KINDS
from stratal.identity import KINDS, Identity, Login, LoginLimits, Session, Verifiers
from stratal.identity.user.model import UserCreate
from stratal.kernel.access import SYSTEM, Access
from stratal.kernel.database import Database
from stratal.kernel.kind import Catalogue

PASSWORD = "correct horse battery"
LIMITS = LoginLimits(session=timedelta(hours=8), max_failures=3, lockout=timedelta(minutes=15))
NOBODY = Access(
    user_id=0, user_name="", project_id=None, roles=frozenset(), client_ip="192.0.2.1", request_id="r"
)


class StoppedClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def forward(self, **more: float) -> None:
        self.time += timedelta(**more)


def cheap_verifiers(time_cost: int = 1) -> Verifiers:
    return Verifiers(time_cost=time_cost, memory_cost_kib=8, parallelism=1)


@dataclass
class Installation:
    database: Database
    clock: StoppedClock
    identity: Identity

    def user(self, name: str, **more: Any) -> int:
        body = UserCreate(name=name, password=PASSWORD, **more)
        prepared = self.identity.users.prepare_create(SYSTEM, body)
        return self.database.write(lambda tx: self.identity.users.create(tx, SYSTEM, prepared)).id

    def log_in(self, name: str, password: str = PASSWORD) -> Session:
        return self.identity.tokens.log_in(NOBODY, Login(name=name, password=password))

    def authenticate(self, token: str) -> Access:
        access, _ = self.database.read(
            lambda tx: self.identity.tokens.authenticate(tx, token, client_ip="", request_id="")
        )
        return access


@contextmanager
def installed(url: str, *, verifiers: Verifiers | None = None) -> Iterator[Installation]:
    """An installation with its roles, its first project and its administrator."""
    clock = StoppedClock()
    database = Database(url, clock=clock)
    try:
        create_tables(database)
        yield installation(database, clock, verifiers or cheap_verifiers())
    finally:
        database.close()


def installation(database: Database, clock: StoppedClock, verifiers: Verifiers) -> Installation:
    """The domain on a database that has its tables."""
    identity = Identity(
        Catalogue([*KINDS, *CLUSTER_KINDS]),
        database,
        verifiers,
        password_min_length=8,
        limits=lambda _: LIMITS,
    )
    identity.bootstrap.prepare()
    return Installation(database, clock, identity)
