"""Telling the engines of other processes that work was asked for, through PostgreSQL's NOTIFY.

Called by `database`; `listen` is the other end. Not part of the transaction that asked: PostgreSQL lets only
one transaction at a time commit a NOTIFY, and would do one fsync for each. A process that dies between the
two costs nothing but time, since engines look for due work by themselves every now and then.
"""

import threading
from typing import Any, Final

import psycopg
from sqlalchemy import URL

from stratal.kernel.connections import SESSION
from stratal.kernel.logs import get_logger

log = get_logger(__name__)

CHANNEL: Final = "stratal_work"

_PAUSE = 0.01
"""Seconds between two notifications: all that was asked for meanwhile is told at once."""


class Notifier:
    """A thread that notifies, started when there is something to say for the first time."""

    def __init__(self, url: URL) -> None:
        _, self._parameters = url.get_dialect()().create_connect_args(url)
        self._state = threading.Condition()
        self._wanted = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="db-notify", daemon=True)

    def notify(self) -> None:
        """Tell the others, soon. Callable from any thread."""
        with self._state:
            if self._closed:
                return
            self._wanted = True
            self._state.notify()
            if self._thread.ident is None:
                self._thread.start()

    def close(self) -> None:
        """Tell what is still to be told, and end the thread and its connection."""
        with self._state:
            self._closed = True
            self._state.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        connection: psycopg.Connection[Any] | None = None
        while self._is_wanted():
            try:
                if connection is None:
                    connection = psycopg.connect(**self._connect_arguments())
                connection.execute(f"NOTIFY {CHANNEL}")
            except psycopg.Error as error:
                log.warning("others_not_notified", error=str(error).strip())
                connection = None
            with self._state:
                self._state.wait_for(lambda: self._closed, _PAUSE)
        if connection is not None:
            connection.close()

    def _is_wanted(self) -> bool:
        """Wait until there is something to tell. False: there is not, and there will not be."""
        with self._state:
            self._state.wait_for(lambda: self._wanted or self._closed)
            wanted, self._wanted = self._wanted, False
            return wanted

    def _connect_arguments(self) -> dict[str, Any]:
        return {**SESSION, **self._parameters, "autocommit": True, "application_name": "stratal-notify"}
