"""Lines over the socket of a virtio-serial port: requests, answers, and what the guest tells unasked."""

import contextlib
import itertools
import os
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path


class GuestSilent(Exception):
    """The guest did not answer in time: it is not up, paused, or has gone."""


class GuestRefused(Exception):
    """The guest answered that it could not."""


class Wire:
    """A connection that is made when it is needed, and again after the other end was closed.

    QEMU serves one connection to a port at a time; a second one waits until the first is closed. Safe for
    several threads, whose requests the guest works on at the same time.
    """

    def __init__(self, path: Path, event: Callable[[list[str]], None]) -> None:
        self._path = path
        self._event = event
        self._numbers = itertools.count(1)
        self._prefix = os.urandom(4).hex()
        self._changed = threading.Condition()
        self._answers: dict[str, str] = {}
        self._socket: socket.socket | None = None
        self._closed = False

    def ask(self, verb: str, arguments: tuple[str | int, ...], seconds: float) -> str:
        """The JSON of the answer. GuestSilent after that many seconds, and when the connection ends."""
        deadline = time.monotonic() + seconds
        number = f"{self._prefix}-{next(self._numbers)}"
        words = [number, verb, *(urllib.parse.quote(str(argument), safe="/") for argument in arguments)]
        connection = self._connect(deadline)
        try:
            connection.sendall((" ".join(words) + "\n").encode())
        except OSError as error:
            self._drop(connection)
            raise GuestSilent(f"{verb}: {error}") from error
        with self._changed:
            arrived = self._changed.wait_for(
                lambda: number in self._answers or self._socket is not connection,
                max(0.0, deadline - time.monotonic()),
            )
            answer = self._answers.pop(number, None)
        if answer is None:
            raise GuestSilent(
                f"{verb}: the connection ended" if arrived else f"{verb}: no answer in {seconds:.0f} s"
            )
        kind, _, rest = answer.partition(" ")
        if kind != "ok":
            raise GuestRefused(f"{verb}: {rest}")
        return rest

    def close(self) -> None:
        self._closed = True
        if self._socket is not None:
            self._drop(self._socket)

    def _connect(self, deadline: float) -> socket.socket:
        with self._changed:
            while self._socket is None:
                connection = socket.socket(socket.AF_UNIX)
                connection.settimeout(5)
                try:
                    connection.connect(str(self._path))
                    connection.sendall(b"\n")  # ends what an earlier client may have begun
                except OSError as error:
                    connection.close()
                    if self._closed or time.monotonic() > deadline:
                        raise GuestSilent(f"{self._path}: {error}") from error
                    time.sleep(0.05)
                    continue
                connection.settimeout(None)
                self._socket = connection
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()
            return self._socket

    def _drop(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        with self._changed:
            if self._socket is connection:
                self._socket = None
            self._changed.notify_all()

    def _read(self, connection: socket.socket) -> None:
        held = b""
        while True:
            try:
                data = connection.recv(65536)
            except OSError:
                data = b""
            if not data:
                self._drop(connection)
                return
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                self._take(line.decode("ascii", "replace"))

    def _take(self, line: str) -> None:
        number, _, rest = line.partition(" ")
        if number == "!":
            self._event(rest.split(" "))
        elif number.startswith(self._prefix):
            with self._changed:
                self._answers[number] = rest
                self._changed.notify_all()
