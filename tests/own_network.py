"""A network of one's own: a network and a mount namespace, so that nothing of the host is touched.

The calling thread enters it, and so do the threads and processes that it starts from then on.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
_MS_REC = 16384
_MS_PRIVATE = 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


def may_make_networks() -> bool:
    """Whether this process may make namespaces: root does."""
    return os.geteuid() == 0


@contextmanager
def own_network() -> Iterator[None]:
    """Inside there are no devices but lo, and no named namespaces. It ends with its last process."""
    before = Path.cwd()
    old = [(os.open(f"/proc/thread-self/ns/{name}", os.O_RDONLY), flag) for name, flag in _KINDS]
    try:
        _check(_libc.unshare(_CLONE_NEWNET | _CLONE_NEWNS))
        _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
        _check(_libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, b"mode=755"))
        _check(_libc.mount(b"sysfs", b"/sys", b"sysfs", 0, None))
        Path("/run/netns").mkdir()
        yield
    finally:
        for descriptor, flag in old:
            _check(_libc.setns(descriptor, flag))
            os.close(descriptor)
        os.chdir(before)


_KINDS = (("net", _CLONE_NEWNET), ("mnt", _CLONE_NEWNS))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
