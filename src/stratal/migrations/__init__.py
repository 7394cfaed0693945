"""Bringing a database to the schema of this release. Called by the composition root and the CLI."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

_LOCK = 7_282_535_107  # any number that is always the same: PostgreSQL's advisory locks go by number


def upgrade(engine: Engine) -> None:
    """Apply the revisions that are missing, all or none of them. Safe to call from many processes at once."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        command.upgrade(config(connection), "head")


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, for this package's revisions."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.attributes["connection"] = connection
    return made
