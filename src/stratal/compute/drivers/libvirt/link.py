"""The connection to libvirtd: made when it is needed, made anew when it broke, with its events. Used by
`access` and so by all verbs.

Every request to libvirt goes through `ask`, which gives it a thread and a deadline, and turns its errors into
those of the contract.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from stratal.compute.domain import MachineId
from stratal.compute.drivers.contract import Happening, MachineEvent
from stratal.compute.drivers.errors import HypervisorUnavailable
from stratal.compute.drivers.libvirt import binding
from stratal.compute.drivers.libvirt.calls import Calls
from stratal.compute.drivers.libvirt.daemon import Daemon
from stratal.kernel.logs import get_logger

log = get_logger(__name__)

_Result = TypeVar("_Result")

SECONDS = 30.0
"""The deadline of a request that is given no other."""
_CONNECT_SECONDS = 10.0
_HOST_SOCKET = Path("/run/libvirt/libvirt-sock")
_HOST_URI = "qemu:///system"
_RETRY_SECONDS = 0.1
_KEEP_SECONDS = 2.0
_LOOK_SECONDS = 30.0
_NAME_PREFIX = "stratal-"


class ConnectionLost(Exception):
    """The connection broke during a request, which may have had its effect. Verbs begin anew."""


class Link:
    def __init__(self, directory: Path, *, uri: str | None, patience_seconds: float) -> None:
        """Without `uri` the host's libvirtd where one answers, else one of our own in `directory`. Once we
        have had one of our own it stays with that: our machines are there."""
        self.patience_seconds = patience_seconds
        self.daemon = Daemon(directory)
        self._uri = uri
        self._calls = Calls()
        self._lock = threading.Lock()
        self._connection: Any = None
        self._listeners: list[Callable[[MachineEvent], None]] = []
        #: the processes (machine, libvirt's number) that were looked at on this connection, see `mending`
        self.seen: set[tuple[str, int]] = set()
        self._lost = threading.Event()
        self._keeper: threading.Thread | None = None
        self._closing = False

    def ask(
        self, key: str, what: str, body: Callable[[Any], _Result], *, seconds: float = SECONDS
    ) -> _Result:
        """What `body` makes of the connection. `key`: the machine, or whatever else may hang by itself.

        Raises ConnectionLost, HypervisorUnavailable, and libvirt's own errors that speak of the request.
        """
        connection = self._connected()
        try:
            return self._calls.run(key, seconds, what, lambda: body(connection))
        except Exception as error:
            if binding.is_error(error) and binding.is_lost(error):
                self._drop(connection)
                raise ConnectionLost(binding.message_of(error)) from error
            raise

    @property
    def sockets(self) -> Path | None:
        """Where our daemon wants sockets of guest agents; None where libvirt's own place will do."""
        return None if self._uri is not None else self.daemon.sockets

    def close(self) -> None:
        with self._lock:
            self._closing = True
            connection, self._connection = self._connection, None
        self._lost.set()
        if connection is not None:
            with suppress(Exception):
                self._calls.run("close", _CONNECT_SECONDS, "closing the connection", connection.close)

    @contextmanager
    def subscribed(self, listener: Callable[[MachineEvent], None]) -> Generator[None]:
        with self._lock:
            self._listeners.append(listener)
            if self._keeper is None:
                self._keeper = threading.Thread(target=self._keep, name="libvirt-keeper", daemon=True)
                self._keeper.start()
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)

    def tell(self, machine: MachineId | None, what: Happening) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(MachineEvent(machine=machine, what=what))
            except Exception:
                log.exception("listener_failed", machine=machine)

    # The connection.

    def _connected(self) -> Any:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection

    def _connect(self) -> Any:
        """Ask, and start our own where it does not answer, until the patience ends."""
        deadline = time.monotonic() + self.patience_seconds
        while True:
            uri, own = self._choose()
            try:
                connection = self._calls.run(
                    "connect", _CONNECT_SECONDS, "connecting to libvirtd", partial(self._open, uri)
                )
            except Exception as error:
                if not binding.is_error(error):
                    raise
                reason = binding.message_of(error)
            else:
                self.seen.clear()
                return connection
            if time.monotonic() > deadline:
                raise HypervisorUnavailable(reason=reason)
            if own:
                self.daemon.start()
            time.sleep(_RETRY_SECONDS)

    def _choose(self) -> tuple[str, bool]:
        """Where to ask, and whether that is a daemon of our own."""
        if self._uri is not None:
            return self._uri, False
        if not self.daemon.exists and _HOST_SOCKET.exists():
            with suppress(Exception):
                self._calls.run(
                    "connect",
                    _CONNECT_SECONDS,
                    "connecting to libvirtd",
                    lambda: binding.connect(_HOST_URI).close(),
                )
                return _HOST_URI, False
        return self.daemon.uri, True

    def _open(self, uri: str) -> Any:
        connection = binding.connect(uri)
        libvirt = binding.module()
        connection.registerCloseCallback(self._closed, None)
        for event, what in (
            (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, Happening.STATE),
            (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, Happening.STATE),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, Happening.DEVICE),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, Happening.DEVICE),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, Happening.DEVICE),
            (libvirt.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE, Happening.DEVICE),
            (libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, Happening.DISK),
            (libvirt.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, Happening.DISK),
            (libvirt.VIR_DOMAIN_EVENT_ID_AGENT_LIFECYCLE, Happening.AGENT),
        ):
            connection.domainEventRegisterAny(None, event, self._happened, what)
        return connection

    def _happened(self, _connection: Any, domain: Any, *details: Any) -> None:
        """Called by libvirt; the last detail is what was given at registration."""
        if str(domain.name()).startswith(_NAME_PREFIX):
            self.tell(MachineId(str(domain.UUIDString())), details[-1])

    def _closed(self, connection: Any, _reason: int, _nothing: Any) -> None:
        # From the thread of events, which must not wait for the lock of one that connects.
        threading.Thread(target=self._drop, args=(connection,), name="libvirt-drop", daemon=True).start()

    def _drop(self, connection: Any) -> None:
        """Told of each connection more than once: by requests that fail, and by libvirt, maybe late."""
        with self._lock:
            if self._connection is not connection:
                return
            self._connection = None
        self._lost.set()

    def _keep(self) -> None:
        """Come back whenever the connection breaks, for the sake of those who listen."""
        known: Any = None
        while not self._closing:
            try:
                connection = self._connected()
            except Exception as error:
                log.warning("hypervisor_unavailable", error=str(error))
                self._lost.wait(_KEEP_SECONDS)
                self._lost.clear()
                continue
            if known is not None and connection is not known:
                self.tell(None, Happening.STATE)
            known = connection
            # a request that came back by itself may have been quicker than this
            self._lost.wait(_LOOK_SECONDS)
            self._lost.clear()
