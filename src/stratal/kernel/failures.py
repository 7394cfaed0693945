"""What the database's errors mean to a user. Called by `database` and `writer`."""

import sqlite3

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhaustedError

from stratal.kernel.errors import Conflict, Unavailable

_SERIALISATION_FAILURES = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
_TAKEN = frozenset({"23505", "23503", "23P01"})  # unique, foreign key and exclusion violations
#: classes of SQLSTATE that speak of the server and not of the statement: connection exceptions, insufficient
#: resources, operator intervention, system errors, configuration files
_SERVER_CLASSES = frozenset({"08", "53", "57", "58", "F0"})
_SERVER_STATES = frozenset({"25006", "25P03", "55P03"})  # read-only, idle too long, lock not available

_SQLITE_TAKEN = frozenset(
    {
        sqlite3.SQLITE_CONSTRAINT_UNIQUE,
        sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY,
    }
)
_SQLITE_REASONS = {
    sqlite3.SQLITE_FULL: "its disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_BUSY: "another program keeps it locked",
    sqlite3.SQLITE_LOCKED: "another program keeps it locked",
    sqlite3.SQLITE_IOERR: "its disk reports an error",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened",
    sqlite3.SQLITE_PERM: "its file cannot be opened",
    sqlite3.SQLITE_CORRUPT: "its file is damaged",
    sqlite3.SQLITE_NOTADB: "its file is damaged",
    sqlite3.SQLITE_NOMEM: "there is no memory left for it",
    sqlite3.SQLITE_PROTOCOL: "its locks do not work",
}


class OutcomeUnknown(Unavailable):
    """The connection broke while a transaction was being committed. Whether it was, nobody knows."""

    code = "outcome_unknown"
    remedy = "Read the resource to see whether the change was made, and try again if it was not."


def explained(error: BaseException) -> BaseException:
    """The typed error for a database that does not work now, or for a constraint that a concurrent request
    was quicker to meet. Anything else (a defect of ours, such as bad SQL) comes back as it is.
    """
    if isinstance(error, PoolExhaustedError):
        return Unavailable(reason="the database does not work: all connections to it are in use")
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        typed = _of_sqlite(original)
    elif isinstance(error, DBAPIError):
        typed = _of_postgresql(error)
    else:
        return error
    if typed is None:
        return error
    typed.__cause__ = error
    return typed


def as_sqlalchemy_has_it(error: psycopg.Error, *, broken: bool) -> DBAPIError:
    """What SQLAlchemy would have raised for this error of the driver. `broken`: the connection is dead."""
    found = DBAPIError.instance(None, None, error, psycopg.Error, connection_invalidated=broken)
    assert isinstance(found, DBAPIError)
    return found


def may_be_repeated(error: DBAPIError) -> bool:
    """Whether PostgreSQL gave up this transaction only for the sake of another one."""
    return _sqlstate(error) in _SERIALISATION_FAILURES


def is_certainly_undone(error: DBAPIError) -> bool:
    """Whether the server broke the connection because the transaction had done nothing for too long."""
    return _sqlstate(error) == "25P03"


def _of_sqlite(error: sqlite3.Error) -> Conflict | Unavailable | None:
    code = getattr(error, "sqlite_errorcode", None)  # absent where the error is Python's own
    if code is None:
        return None
    if code in _SQLITE_TAKEN:
        return _conflict()
    reason = _SQLITE_REASONS.get(code & 0xFF)  # the rest of an extended code says where it happened
    return None if reason is None else Unavailable(reason=f"the database does not work: {reason}")


def _of_postgresql(error: DBAPIError) -> Conflict | Unavailable | None:
    state = _sqlstate(error)
    if state in _TAKEN or state in _SERIALISATION_FAILURES:
        return _conflict()
    if state is None:
        if not isinstance(error, OperationalError | InterfaceError):
            return None
    elif state[:2] not in _SERVER_CLASSES and state not in _SERVER_STATES:
        return None
    text = str(error.orig).strip()
    return Unavailable(reason=f"the database does not work: {text.splitlines()[0] if text else 'no answer'}")


def _conflict() -> Conflict:
    return Conflict(reason="another request changed the same resources at the same moment")


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)
