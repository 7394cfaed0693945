"""Running a server: sockets, signals, and what is printed at the first start. Called by the CLI."""

import asyncio
import signal
import socket
import ssl
import sys
import tempfile
from pathlib import Path
from types import FrameType

import uvicorn
from litestar.types import ASGIApp

from stratal.faces import neutonos
from stratal.kernel.errors import Invalid, Unavailable
from stratal.kernel.logs import get_logger
from stratal.kernel.sections import ServerSettings
from stratal.kernel.settings import Settings
from stratal.migrations import check_current
from stratal.server import Server

log = get_logger(__name__)

_SWITCH_SECONDS = 0.001
_BACKLOG = 2048


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then end what runs. Raises StratalError if it cannot start."""
    # threads reconcile beside the event loop: a request must not wait long for its turn at the interpreter
    sys.setswitchinterval(_SWITCH_SECONDS)
    # uvicorn raises the signal that stopped it once more when it is done, and the default would end the
    # process there and then, with the engine running and its leases taken
    for stopping in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stopping, _end)
    _check_tls(settings.server)
    listening = _listen(settings)
    server = Server(settings)
    try:
        password = server.start()
        if password is not None:
            _announce(password)
        _serve(server, listening)
    finally:
        server.stop()


def openapi_document() -> bytes:
    """The OpenAPI document of the NeutonOS face, as it is committed."""
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(data_directory=Path(directory))
        server = Server(settings)
        try:
            return neutonos.openapi_json(server.endpoints, neutonos.PREFIX)
        finally:
            server.stop()


def reset_password(settings: Settings, name: str) -> str:
    """Give a user a new generated password. Raises NotFound, Unavailable."""
    server = Server(settings, exclusive=False)
    try:
        check_current(server.database.engine)
        return server.identity.bootstrap.reset_password(name)
    finally:
        server.stop()


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _check_tls(settings: ServerSettings) -> None:
    """Raises Invalid for a certificate and a key that cannot be used, before anything else is begun."""
    if settings.tls_certificate is None:
        return
    try:
        # a password is never asked for: there may be nobody at the terminal
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.tls_certificate, settings.tls_key, password=lambda: b""
        )
    except (OSError, ValueError) as error:  # of which SSLError is one
        reason = "cannot be used together with tls_key: they must be PEM, without a password, and a pair"
        raise Invalid(field="server.tls_certificate", reason=f"{reason} ({error})") from error


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # at once, since two processes may bind one port but only one may listen; who connects now waits
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise Unavailable(reason=f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listening


def http_configuration(application: ASGIApp, settings: Settings) -> uvicorn.Config:
    """How HTTP is spoken, whatever answers it. Also used by the benchmarks, for their baseline."""
    return uvicorn.Config(
        application,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        backlog=_BACKLOG,
        access_log=False,
        server_header=False,
        ssl_certfile=settings.server.tls_certificate,
        ssl_keyfile=settings.server.tls_key,
        timeout_graceful_shutdown=int(settings.engine.shutdown_seconds),
    )


def http_server(config: uvicorn.Config, listening: socket.socket) -> None:
    """Answer what arrives at the socket until SIGINT or SIGTERM."""
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listening]))


def _serve(server: Server, listening: socket.socket) -> None:
    config = http_configuration(server.application(), server.settings)
    scheme = "https" if server.settings.server.tls_certificate else "http"
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    log.info("listening", address=f"{scheme}://{shown}:{port}{neutonos.PREFIX}/")
    http_server(config, listening)


def _announce(password: str) -> None:
    """The one time that this password is to be seen; on the terminal, not in the log."""
    print(
        "\nThis is the first start. The administrator's name and password, shown only now:\n\n"
        f"    admin    {password}\n",
        flush=True,
    )
