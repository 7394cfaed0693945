"""Structured logs: one line per event, with the same shape for Stratal's own and its libraries' loggers.

`server.py` and the CLI call `configure_logs` once; every module gets its logger from `get_logger`. What a
request or a reconcile binds with `structlog.contextvars` (request_id, kind, id) is on each of its lines.
Whoever runs uvicorn, Litestar or Alembic passes them no logging configuration of their own.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

MASK = "***"

_SECRET_MARKS = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "authorization",
    "cookie",
    "verifier",
    "credential",
    "apikey",
    "privatekey",
    "privatepem",
    "encryptionkey",
    "keymaterial",
    "sessionuuid",  # the bearer token of the ZStack dialect
)
_MAX_DEPTH = 8


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of a module, by its `__name__`. May be made before `configure_logs` is called."""
    return cast(FilteringBoundLogger, structlog.get_logger(name))


def configure_logs(level: str, format: Literal["json", "console"], stream: TextIO) -> None:
    """Send every log of the process to `stream`, from `level` (debug, info, warning, error) on.

    Meant for the start of a process: a logger that was already used keeps what it had then, because
    loggers are bound once and cached, which makes a suppressed debug call cost next to nothing.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    sink = _Sink(stream)

    def output(name: str = "") -> _Output:
        return _Output(sink, name)

    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering = [mask_secrets, *_renderers(format, stream)]
    structlog.configure(
        processors=[*common, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=output,
        cache_logger_on_first_use=True,
    )
    _route_stdlib(threshold, common, rendering, sink)


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the values of keys that look like secrets, at any depth: the last line of defence.

    The first line is that nobody logs them. A secret inside a message's text is not found here.
    """
    return {key: MASK if _hides(key, value) else _masked(value, 1) for key, value in event.items()}


def _masked(value: object, depth: int) -> object:
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth >= _MAX_DEPTH:  # a structure that contains itself must not end the process
        return "…"
    if isinstance(value, Mapping):
        pairs = cast(Mapping[object, object], value).items()
        return {str(k): MASK if _hides(str(k), v) else _masked(v, depth + 1) for k, v in pairs}
    return [_masked(item, depth + 1) for item in cast(Iterable[object], value)]


def _hides(key: str, value: object) -> bool:
    # Whether there is one at all is no secret, and often what one wants to know.
    return value is not None and not isinstance(value, bool) and _is_secret(key)


@lru_cache(maxsize=4096)
def _is_secret(key: str) -> bool:
    plain = key.lower().replace("_", "").replace("-", "")
    return any(mark in plain for mark in _SECRET_MARKS)


def _renderers(format: Literal["json", "console"], stream: TextIO) -> list[Processor]:
    # Both leave local variables out of tracebacks: they would show what no key protects.
    if format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]


def _route_stdlib(threshold: int, before: list[Processor], rendering: list[Processor], sink: "_Sink") -> None:
    route = _StdlibRoute(sink)
    route.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [route]
    root.setLevel(threshold)
    # uvicorn and others bring handlers and switch propagation off as soon as they are imported or configured.
    for name in list(logging.Logger.manager.loggerDict):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    logging.captureWarnings(True)


class _Sink:
    """Where all lines end. A full disk or a closed pipe loses lines, never the work that is logged."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        # Re-entrant: a signal handler may log while its own thread is writing a line.
        self._lock = threading.RLock()

    def write(self, line: str) -> None:
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


class _Output:
    """What structlog hands rendered lines to, by a method named like the level."""

    def __init__(self, sink: _Sink, name: str) -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = sink.write


class _StdlibRoute(logging.Handler):
    def __init__(self, sink: _Sink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._sink.write(self.format(record))
        except Exception:  # as every handler: a library's malformed message is reported, and not its failure
            self.handleError(record)
