"""What the Ceph libraries' errors mean. Used by `pool` and `image`, which wrap these libraries.

What only time or an administrator can change becomes a typed error of the contract; what the callers in this
package act upon becomes `NotThere`, `AlreadyThere`, `InUse` or `Contended`.
"""

import errno
from collections.abc import Generator
from contextlib import contextmanager

from stratal.storage.drivers.errors import BackendUnavailable, NoSpace
from stratal.storage.drivers.rbd.place import RbdPlace


class NotThere(Exception):
    """No such image, snapshot or pool."""


class AlreadyThere(Exception):
    """The name is taken."""


class InUse(Exception):
    """Somebody has the image open, or it still has snapshots."""


class Contended(Exception):
    """A compared value had changed meanwhile."""


_SIGNALS: dict[int, type[Exception]] = {
    errno.ENOENT: NotThere,
    errno.EEXIST: AlreadyThere,
    errno.EBUSY: InUse,
    errno.ENOTEMPTY: InUse,
    errno.EROFS: InUse,
    errno.ECANCELED: Contended,
}
_SILENCE = {errno.ETIMEDOUT, errno.ENOTCONN, errno.EHOSTDOWN, errno.EIO, errno.EPERM, errno.EACCES}


class Answers:
    """Translates for one connection. `shut_out` once the cluster has fenced it."""

    def __init__(self, place: RbdPlace) -> None:
        self._place = place
        self.shut_out = False

    @contextmanager
    def to(self, action: str) -> Generator[None]:
        """Translate what goes wrong in the libraries."""
        try:
            yield
        except Exception as error:
            code = getattr(error, "errno", None)
            if type(error).__module__ not in ("rados", "rbd") or not isinstance(code, int):
                raise
            code = abs(code)
            if code in _SIGNALS:
                raise _SIGNALS[code](str(error)) from error
            if code in (errno.ENOSPC, errno.EDQUOT):
                raise NoSpace(place=self._place, action=action) from error
            if code == errno.ESHUTDOWN:  # fenced by somebody who took this process for dead
                self.shut_out = True
                raise BackendUnavailable(place=self._place, reason="it shut this client out") from error
            if code in _SILENCE:
                raise BackendUnavailable(place=self._place, reason=f"{action}: {error}") from error
            raise
