"""Access to a layer's content: qemu-nbd on a Unix socket, and libnbd as its client.

The only module that knows libnbd, which has no types of its own; Debian's python3-libnbd, never the package
of another thing that PyPI calls `nbd`. A server belongs to the `with` that started it: it ends with it, and
with this process however that ends.
"""

import fcntl
import importlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO, Protocol, cast

from stratal.kernel.effects import Effect
from stratal.kernel.errors import Invalid, StratalError
from stratal.storage.drivers.contract import LayerId, Location, Transport
from stratal.storage.drivers.errors import BackendUnavailable, NoSpace
from stratal.storage.drivers.qcow2.place import Place
from stratal.storage.drivers.qcow2.tools import translate
from stratal.storage.images import tool

_START_SECONDS = 30.0
_STOP_SECONDS = 60.0
_END_SECONDS = 5.0
_MOST_BYTES = 32 * 2**20
"""of one NBD request (QEMU's limit)"""
_MOST_ZERO_BYTES = 2**30
_LONGEST_RUNTIME = 65
"""The name of a Unix socket has at most 107 bytes, and 40 are added here."""
_CLIENTS = 16

_SERVE = Effect("qcow2.export.serve")
_WRITE = Effect("qcow2.export.write")


class _Handle(Protocol):
    """What is used of libnbd's handle. Safe from several threads: it locks itself."""

    def connect_unix(self, path: str) -> None: ...
    def get_size(self) -> int: ...
    def pread(self, count: int, offset: int) -> bytearray: ...
    def pwrite(self, data: bytes | memoryview, offset: int) -> None: ...
    def zero(self, count: int, offset: int) -> None: ...
    def flush(self) -> None: ...
    def shutdown(self) -> None: ...


class _Library(Protocol):
    """What is used of the module. `Error` carries `errno` as a name."""

    NBD: Callable[[], _Handle]
    Error: type[Exception]


class Connection:
    """One client of a served layer; meets the contract's LayerWriter."""

    def __init__(self, library: _Library, handle: _Handle, place: Place, location: Location) -> None:
        self._library = library
        self._handle = handle
        self._place = place
        self._location = location
        self._size_bytes = handle.get_size()

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    @property
    def location(self) -> Location:
        return self._location

    def read(self, offset: int, length: int) -> bytes:
        self._check(offset, length)
        with self._errors("read"):
            if length <= _MOST_BYTES:
                return bytes(self._handle.pread(length, offset)) if length else b""
            parts = (self._handle.pread(count, at) for at, count in _pieces(offset, length, _MOST_BYTES))
            return b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        self._check(offset, len(data))
        view = memoryview(data)
        with self._errors("write"), _WRITE:
            for at, count in _pieces(offset, len(data), _MOST_BYTES):
                self._handle.pwrite(view[at - offset : at - offset + count], at)

    def zero(self, offset: int, length: int) -> None:
        self._check(offset, length)
        with self._errors("write"), _WRITE:
            for at, count in _pieces(offset, length, _MOST_ZERO_BYTES):
                self._handle.zero(count, at)

    def flush(self) -> None:
        with self._errors("flush"):
            self._handle.flush()

    def close(self) -> None:
        with suppress(self._library.Error):
            self._handle.shutdown()

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self._size_bytes:
            raise Invalid(field="offset", reason=f"the range is not within the {self._size_bytes} bytes")

    @contextmanager
    def _errors(self, action: str) -> Generator[None]:
        try:
            yield
        except self._library.Error as error:
            if getattr(error, "errno", None) in ("ENOSPC", "EDQUOT"):
                raise NoSpace(place=self._place, action=action) from error
            raise BackendUnavailable(place=self._place, reason=f"could not {action}: {error}") from error


class Server:
    """A running qemu-nbd, and the connections to it."""

    def __init__(
        self, place: Place, layer: LayerId, process: subprocess.Popen[bytes], socket: Path, said: IO[bytes]
    ) -> None:
        self._place = place
        self._layer = layer
        self._process = process
        self._socket = socket
        self._said = said
        self._library = _library(place)
        self._connections: list[Connection] = []
        self.connection = self.connect()

    def connect(self) -> Connection:
        """A further client. Waits until the server listens; raises what kept it from doing so."""
        address = f"nbd+unix:///?socket={self._socket}"
        location = Location(transport=Transport.NBD, address=address, format="raw")
        deadline = time.monotonic() + _START_SECONDS
        while True:
            handle = self._library.NBD()
            try:
                handle.connect_unix(str(self._socket))
            except self._library.Error as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise self._start_failure(error) from error
                time.sleep(0.002)
            else:
                self._connections.append(Connection(self._library, handle, self._place, location))
                return self._connections[-1]

    def stop(self, *, flush: bool) -> None:
        """Have everything written out, and wait for it."""
        for connection in self._connections:
            if flush:
                connection.flush()
            connection.close()
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise BackendUnavailable(place=self._place, reason="qemu-nbd does not end") from None

    def _start_failure(self, error: Exception) -> StratalError:
        self._said.seek(0)
        text = self._said.read().decode(errors="replace").strip()
        code = self._process.returncode
        if code is not None and code < 0:
            failed: StratalError = tool.ToolUnavailable(
                tool="qemu-nbd", reason=f"was killed by signal {-code}"
            )
        else:
            failed = tool.ToolFailed(tool="qemu-nbd", stderr=text or str(error))
        return translate(failed, self._place, self._layer, "open it")


class Exports:
    """Serves files of one place."""

    def __init__(self, place: Place, runtime: Path) -> None:
        """`runtime` is a directory for sockets. Raises Invalid for one with a long name."""
        if not runtime.is_absolute() or len(os.fsencode(runtime)) > _LONGEST_RUNTIME:
            reason = f"must be an absolute path of at most {_LONGEST_RUNTIME} bytes"
            raise Invalid(field="runtime", reason=reason)
        self._place = place
        self._runtime = runtime
        key = blake2b(bytes(place.directory), digest_size=6).hexdigest()
        self._prefix = f"stratal-nbd-{key}-"

    @contextmanager
    def open(
        self, path: Path, layer: LayerId, *, format: str, writable: bool, keep: tuple[int, ...]
    ) -> Generator[Server]:
        """Serve a file. Leaving flushes what was written. LayerBusy, BackendUnavailable, LayerDamaged."""
        mode = [] if writable else ["--read-only"]
        with self._socket_directory() as (directory, lock), tempfile.TemporaryFile() as said:
            socket = directory / "s"
            arguments = ["qemu-nbd", *mode, "--persistent", f"--shared={_CLIENTS}", f"--format={format}"]
            arguments += ["--cache=writeback", "--discard=unmap", f"--socket={socket}", "--", str(path)]
            process = None
            try:
                with self._place.guard("start qemu-nbd"), _SERVE:
                    process = _spawn(arguments, (*keep, lock), said)
                server = Server(self._place, layer, process, socket, said)
                yield server
                server.stop(flush=writable)
            finally:
                if process is not None:
                    _end(process)

    @contextmanager
    def _socket_directory(self) -> Generator[tuple[Path, int]]:
        """A new private directory that this process, and the server it starts, hold a lock on."""
        directory = self._runtime / (self._prefix + secrets.token_hex(6))
        with self._place.guard("make a socket"):
            directory.mkdir(mode=0o700)
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield directory, lock
        finally:
            os.close(lock)
            shutil.rmtree(directory, ignore_errors=True)

    def sweep(self) -> None:
        """Remove the socket directories of servers that are gone."""
        with suppress(OSError):
            for directory in self._runtime.glob(f"{self._prefix}*"):
                with suppress(OSError):
                    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                    try:
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        shutil.rmtree(directory, ignore_errors=True)
                    finally:
                        os.close(lock)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let a server that is still there, after an error, write out what it was given; but not for long."""
    if process.poll() is None:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            process.terminate()
            process.wait(_END_SECONDS)
    tool.dispose(process)


_spawner: ThreadPoolExecutor | None = None
_spawner_lock = threading.Lock()


def _spawn(arguments: list[str], keep: tuple[int, ...], said: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a server from a thread that lives as long as this process.

    The death signal comes when the *thread* that started a process ends, and a layer may be opened in one
    thread and used in another that outlives it.
    """
    global _spawner
    with _spawner_lock:
        _spawner = _spawner or ThreadPoolExecutor(1, thread_name_prefix="stratal-spawner")
    return _spawner.submit(
        subprocess.Popen[bytes],
        tool.command(arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,
        pass_fds=keep,
        env=tool.environment(),
        cwd="/",
    ).result()


def _pieces(offset: int, length: int, most: int) -> Generator[tuple[int, int]]:
    for at in range(offset, offset + length, most):
        yield at, min(most, offset + length - at)


def _library(place: Place) -> _Library:
    try:
        return cast(_Library, importlib.import_module("nbd"))
    except ImportError as error:
        raise BackendUnavailable(place=place, reason="python3-libnbd is not installed") from error
