"""The untyped `libvirt` module: its event loop, errors and connections. The only module that imports it."""

import importlib
import threading
from functools import cache
from typing import Any

from stratal.compute.drivers.errors import HypervisorUnavailable
from stratal.kernel.logs import get_logger

log = get_logger(__name__)

KEEPALIVE_SECONDS = 5
KEEPALIVE_COUNT = 3


@cache
def module() -> Any:
    """Not at import time: the composition root can then name the driver where libvirt isn't installed."""
    try:
        found: Any = importlib.import_module("libvirt")
    except ImportError as error:
        raise HypervisorUnavailable(reason="python3-libvirt is not installed") from error
    # Errors are raised; printing them to standard error as well is of no use.
    found.registerErrorHandler(_ignore, None)
    found.virEventRegisterDefaultImpl()
    threading.Thread(target=_loop, args=(found,), name="libvirt-events", daemon=True).start()
    return found


@cache
def qemu_module() -> Any:
    """What only QEMU has: requests to its guest agent."""
    module()
    return importlib.import_module("libvirt_qemu")


def _ignore(*_details: Any) -> None:
    pass


def _loop(libvirt: Any) -> None:
    while True:
        try:
            libvirt.virEventRunDefaultImpl()
        except Exception:
            log.exception("libvirt_events_failed")


def is_error(error: BaseException) -> bool:
    return type(error).__module__ == "libvirt" and type(error).__name__ == "libvirtError"


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, and not just this one request refused."""
    libvirt = module()
    if not is_error(error):
        return False
    origin, code = _origin(error), code_of(error)
    if code in (libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN):
        return True
    return origin in (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE) and code in (
        libvirt.VIR_ERR_RPC,
        libvirt.VIR_ERR_SYSTEM_ERROR,
        libvirt.VIR_ERR_INTERNAL_ERROR,
        libvirt.VIR_ERR_NO_SUPPORT,
    )


def code_of(error: BaseException) -> int:
    found: Any = error
    return int(found.get_error_code() or 0) if is_error(error) else 0


def _origin(error: BaseException) -> int:
    found: Any = error
    return int(found.get_error_domain() or 0)


def message_of(error: BaseException) -> str:
    found: Any = error
    said = found.get_error_message() if is_error(error) else None
    return " ".join(str(said or error).split())[:1000]


def connect(uri: str) -> Any:
    """A connection that notices when the other side is silent."""
    connection = module().open(uri)
    connection.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT)
    return connection
