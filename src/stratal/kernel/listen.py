"""Waking this process's engine when another process asks for work, through PostgreSQL's NOTIFY.

Made and closed by the composition root, and only where the database is PostgreSQL. A missed notification
costs nothing but time: the engine looks for due work by itself every now and then.
"""

import os
import random
import selectors
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy import URL

from stratal.kernel.connections import SESSION
from stratal.kernel.logs import get_logger
from stratal.kernel.notify import CHANNEL

log = get_logger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class Listener:
    """A thread that listens, and connects again for as long as it takes when the server goes away."""

    def __init__(self, url: URL, wake: Callable[[], None]) -> None:
        """`wake` is called from the thread: for each batch of notifications, and whenever some may have been
        missed. It is quick and does not raise.
        """
        _, self._parameters = url.get_dialect()().create_connect_args(url)
        self._wake = wake
        self._closed, self._close = os.pipe()
        self._thread = threading.Thread(target=self._run, name="db-listen", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and its connection, at once. Closing again does nothing."""
        if self._thread.is_alive():
            os.write(self._close, b".")
            self._thread.join()
            os.close(self._close)
            os.close(self._closed)

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            connected_at = time.monotonic()
            try:
                with psycopg.connect(**self._connect_arguments()) as connection:
                    if self._listen(connection):
                        return
            except psycopg.Error as error:
                log.warning("database_not_listened_to", error=str(error).strip())
            if time.monotonic() - connected_at > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            if self._wait(None, random.uniform(pause / 2, pause)):  # noqa: S311  jitter, not a secret
                return
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _connect_arguments(self) -> dict[str, Any]:
        return {**SESSION, **self._parameters, "autocommit": True, "application_name": "stratal-listen"}

    def _listen(self, connection: "psycopg.Connection[Any]") -> bool:
        """Listen until told to close: True. Raises when the connection breaks."""
        connection.execute(f"LISTEN {CHANNEL}")
        self._wake()  # something may have been asked for while nobody listened
        while not self._wait(connection, None):
            if list(connection.notifies(timeout=0)):
                self._wake()
        return True

    def _wait(self, connection: "psycopg.Connection[Any] | None", timeout: float | None) -> bool:
        """Wait until the connection has something to say or the time is over. True: told to close."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._closed, selectors.EVENT_READ)
            if connection is not None:
                selector.register(connection.fileno(), selectors.EVENT_READ)
            return any(key.fd == self._closed for key, _ in selector.select(timeout))
