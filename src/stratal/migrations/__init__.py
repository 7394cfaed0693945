"""Bringing a database to the schema of this release. Called by the composition root and the CLI."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from stratal.kernel.errors import Unavailable
from stratal.kernel.failures import explained

_LOCK = 7_282_535_107  # any number that is always the same: PostgreSQL's advisory locks go by number


def upgrade(engine: Engine) -> None:
    """Apply the revisions that are missing, all or none of them. Safe to call from many processes at once.

    Raises Unavailable for a database that cannot be reached, or that a newer release has used.
    """
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            command.upgrade(config(connection), "head")
    except CommandError as error:
        raise Unavailable(reason=f"the database is of another release of Stratal: {error}") from error
    except DBAPIError as error:
        raise explained(error) from error


def check_current(engine: Engine) -> None:
    """Raise Unavailable unless the database has the schema of this release. Changes nothing."""
    head = ScriptDirectory.from_config(config()).get_current_head()
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
    except DBAPIError as error:
        raise explained(error) from error
    if found != head:
        raise Unavailable(
            reason="the database is not that of this release: start the server once to make it so"
        )


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for this package's revisions."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.attributes["connection"] = connection
    return made
