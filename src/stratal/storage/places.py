"""Where layers are kept: one driver for each place, made by factories that the composition root hands over.

Called by the reconcilers of policies and trees, and by the policy service to check what a client names.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stratal.kernel.errors import Invalid
from stratal.storage.drivers.contract import LayerDriver
from stratal.storage.drivers.errors import BackendUnavailable


@dataclass(frozen=True, kw_only=True)
class Backend:
    """What the composition root knows of one sort of driver."""

    #: the one form of a place that clients may name; Invalid where it is none, or not allowed
    canonical: Callable[[str], str]
    #: make the place ready for layers, once; idempotent
    prepare: Callable[[str], None]
    open: Callable[[str], LayerDriver]
    #: whether all that such places hold ends with the process
    forgets: bool = False


class Places:
    """The drivers of this process, made when they are first needed and kept."""

    def __init__(self, backends: Mapping[str, Backend]) -> None:
        self._backends = dict(backends)
        self._drivers: dict[tuple[str, str], LayerDriver] = {}
        self._lock = threading.Lock()

    def canonical(self, driver: str, place: str) -> str:
        """Raises Invalid for an unknown driver, and for a place that is none or not allowed."""
        backend = self._backends.get(driver)
        if backend is None:
            known = ", ".join(sorted(self._backends))
            raise Invalid(field="spec.driver", reason=f"{driver!r} is not one of the drivers here: {known}")
        return backend.canonical(place)

    def forgets(self, driver: str) -> bool:
        """Whether what a driver's places hold ends with the process."""
        backend = self._backends.get(driver)
        return backend is not None and backend.forgets

    def prepare(self, driver: str, place: str) -> None:
        """Make a place ready for layers. Raises BackendUnavailable."""
        self._backend(driver, place).prepare(place)

    def driver(self, driver: str, place: str) -> LayerDriver:
        """The driver of a place. Raises BackendUnavailable where this server has none of the sort."""
        backend = self._backend(driver, place)
        with self._lock:
            key = (driver, place)
            if key not in self._drivers:
                self._drivers[key] = backend.open(place)
            return self._drivers[key]

    def _backend(self, driver: str, place: str) -> Backend:
        backend = self._backends.get(driver)
        if backend is None:
            raise BackendUnavailable(place=place, reason=f"this server runs without the {driver} driver")
        return backend
