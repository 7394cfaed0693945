"""Write a new migration: `python tools/revision.py "what changes"`. Read it before you commit it."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import create_engine

import stratal.server  # every kind declares its tables
from stratal.migrations import config, upgrade


def main(message: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        engine = create_engine(f"sqlite:///{Path(directory)}/revision.db")
        upgrade(engine)
        versions = Path(stratal.migrations.__file__).parent / "versions"
        number = f"{len(list(versions.glob('[0-9]*.py'))) + 1:04}"
        with engine.begin() as connection:
            command.revision(config(connection), message=message, rev_id=number, autogenerate=True)


if __name__ == "__main__":
    main(sys.argv[1])
