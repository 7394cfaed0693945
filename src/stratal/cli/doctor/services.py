"""What the server leans on and answers at: its ports and its database."""

import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from stratal.cli.doctor.finding import Finding
from stratal.kernel.errors import Unavailable
from stratal.kernel.settings import Settings, parse_listen

_SECONDS = 5.0
_MOST_APART = 2.0
"""Seconds that this clock and the database's may differ: leases go by both."""


def examine(settings: Settings) -> Iterator[Finding]:
    yield _api_port(settings)
    if settings.metrics_listen:
        yield _port("metrics port", *parse_listen(settings.metrics_listen))
    yield from _database(settings)


def _api_port(settings: Settings) -> Finding:
    server = settings.server
    found = _port("API port", server.host, server.port)
    if server.port and _answers(settings):
        return Finding.good("API port", f"a Stratal server answers at {server.host}:{server.port}")
    return found


def _port(subject: str, host: str, port: int) -> Finding:
    if port == 0:
        return Finding.good(subject, "any free one")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(1)
    except OSError as error:
        remedy = f"See who has it (ss -ltnp 'sport = :{port}'), or choose another address in the settings."
        return Finding.poor(subject, f"{host}:{port} is not to be had: {error.strerror}", remedy)
    return Finding.good(subject, f"{host}:{port} is free")


def _answers(settings: Settings) -> bool:
    """Whether a Stratal server listens where one would be started."""
    from stratal.cli.client.connection import PREFIX, Connection
    from stratal.cli.client.contexts import Context
    from stratal.cli.client.errors import ClientError

    server = settings.server
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if server.tls_certificate else "http"
    context = Context(url=f"{scheme}://{shown}:{server.port}{PREFIX}", insecure=True)
    try:
        with Connection(context, timeout=_SECONDS) as connection:
            return "paths" in (connection.get("/openapi.json") or {})
    except ClientError:
        return False


def _database(settings: Settings) -> Iterator[Finding]:
    try:
        url = make_url(settings.database_url.get_secret_value())
    except (ArgumentError, ValueError):
        yield Finding.bad("database", "database_url is no URL of a database", "Correct it.")
        return
    if url.get_backend_name() == "sqlite":
        file = Path(url.database or "")
        if not file.is_file():
            yield Finding.good("database", f"{file} will be made at the first start")
            return
        yield _sqlite(file)
        engine = create_engine(f"sqlite:///file:{quote(str(file))}?mode=ro&uri=true")
    else:
        arguments = {"connect_timeout": int(_SECONDS)}
        engine = create_engine(url, connect_args=arguments)
    try:
        if url.get_backend_name() != "sqlite":
            yield _reached(engine)
        yield _schema(engine)
    except (DBAPIError, PoolTimeout) as error:
        reason = str(getattr(error, "orig", "") or type(error).__name__).strip().splitlines()[0]
        yield Finding.bad("database", reason, "See whether it runs, and whether database_url is right.")
    finally:
        engine.dispose()


def _sqlite(file: Path) -> Finding:
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=_SECONDS)
        ) as opened:
            found = str(opened.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        return Finding.bad("database", f"{file}: {found}", "Take back a backup: stratal restore-config")
    return Finding.good("database", f"{file} is whole")


def _reached(engine: Engine) -> Finding:
    with engine.connect() as connection:
        before = time.time()
        theirs = float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
        apart = abs(theirs - (before + time.time()) / 2)
        version = str(connection.execute(text("SHOW server_version")).scalar_one())
    if apart > _MOST_APART:
        remedy = "Keep both clocks right by a time service: leases of work go by them."
        return Finding.bad("database", f"its clock and this one are {apart:.1f} s apart", remedy)
    return Finding.good("database", f"PostgreSQL {version.split()[0]}, its clock {apart:.3f} s from this one")


def _schema(engine: Engine) -> Finding:
    from alembic.runtime.migration import MigrationContext

    from stratal.migrations import check_current

    with engine.connect() as connection:
        if MigrationContext.configure(connection).get_current_revision() is None:
            return Finding.good("schema", "none yet: it will be made at the first start")
    try:
        check_current(engine)
    except Unavailable as error:
        remedy = "Back it up first: stratal backup-config"
        return Finding.poor("schema", error.message, remedy)
    return Finding.good("schema", "that of this release")
