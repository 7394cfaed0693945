"""Side effects and the crash points around them.

Every place that changes the world outside the current transaction stands in a `with` of an `Effect`:

    CREATE_FILE = Effect("qcow2.create")

    with CREATE_FILE:
        subprocess.run(...)

On entry and on exit the process passes a named crash point (`qcow2.create.before`, `qcow2.create.after`).
The crash suite arms one of them through the environment and the process kills itself there with SIGKILL,
exactly as a power cut would. Declaring the effect registers it, so the suite walks over all of them and a
new effect cannot be forgotten.
"""

import os
import signal
import threading
from types import TracebackType
from typing import ClassVar

ENVIRONMENT_VARIABLE = "STRATAL_CRASH_AT"
"""`<point>` or `<point>#<n>`: die at the n-th passage (1 when not given) of this point."""


class Effect:
    """A named side effect. Reusable and re-entrant; a `with` of it is one doing of the effect."""

    _all: ClassVar[dict[str, "Effect"]] = {}

    def __init__(self, name: str) -> None:
        if name in self._all:
            raise ValueError(f"effect {name!r} is declared twice")
        self.name = name
        self._all[name] = self

    def __enter__(self) -> None:
        _pass(f"{self.name}.before")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            _pass(f"{self.name}.after")

    @classmethod
    def crash_points(cls) -> list[str]:
        """Every crash point of every effect declared so far, in order of their names."""
        return [f"{name}.{side}" for name in sorted(cls._all) for side in ("before", "after")]


class _Armed:
    """The one crash point that this process was told to die at."""

    def __init__(self, setting: str) -> None:
        self.point, _, count = setting.partition("#")
        self.left = int(count) if count else 1
        self.lock = threading.Lock()


_setting = os.environ.get(ENVIRONMENT_VARIABLE)
_armed = _Armed(_setting) if _setting else None


def _pass(point: str) -> None:
    if _armed is None or point != _armed.point:
        return
    with _armed.lock:
        _armed.left -= 1
        if _armed.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
