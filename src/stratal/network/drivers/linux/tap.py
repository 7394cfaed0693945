"""Making taps: devices whose other end is a file that QEMU opens. Called by `ports`."""

import fcntl
import os
import struct
from typing import Final

from stratal.network.drivers.errors import NetworkUnavailable

_TUN: Final = "/dev/net/tun"
# linux/if_tun.h
_TUNSETIFF: Final = 0x400454CA
_TUNSETPERSIST: Final = 0x400454CB
_TUNSETOWNER: Final = 0x400454CC
_IFF_TAP: Final = 0x0002
_IFF_MULTI_QUEUE: Final = 0x0100
_IFF_NO_PI: Final = 0x1000
_IFF_VNET_HDR: Final = 0x4000


def make_tap(name: str, *, multi_queue: bool, owner_uid: int) -> None:
    """Make a tap that stays, or give the one of this name another owner.

    Beside the owner only who may administer networks may open it.
    """
    flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR | (_IFF_MULTI_QUEUE if multi_queue else 0)
    try:
        descriptor = os.open(_TUN, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
            fcntl.ioctl(descriptor, _TUNSETOWNER, owner_uid)
            fcntl.ioctl(descriptor, _TUNSETPERSIST, 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NetworkUnavailable(reason=f"the tap {name} can't be made: {error.strerror}") from error
