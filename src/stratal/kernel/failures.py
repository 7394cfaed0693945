"""What the database's errors mean to a user. Called by `database` and `writer`."""

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from stratal.kernel.errors import Conflict, Unavailable

_SERIALISATION_FAILURES = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected


def explained(error: BaseException) -> BaseException:
    """The typed error for a database that does not work now, or for a constraint that a concurrent request
    was quicker to meet. Anything else comes back as it is.
    """
    if isinstance(error, IntegrityError):
        return Conflict(reason="another request changed the same resources at the same moment")
    if isinstance(error, OperationalError | InterfaceError):
        text = str(error.orig).strip() if error.orig else ""
        return Unavailable(
            reason=f"the database does not work: {text.splitlines()[0] if text else 'no answer'}"
        )
    return error


def may_be_repeated(error: DBAPIError) -> bool:
    """Whether PostgreSQL gave up this transaction only for the sake of another one."""
    return getattr(error.orig, "sqlstate", None) in _SERIALISATION_FAILURES
