"""The drivers of storage that this server can have. Called by the composition root."""

import importlib.util
import os
import re
from contextlib import ExitStack
from pathlib import Path

from stratal import storage
from stratal.kernel.errors import Invalid
from stratal.kernel.settings import Settings
from stratal.storage.drivers.qcow2 import Qcow2Driver
from stratal.storage.drivers.rbd import RbdDriver, RbdPlace
from stratal.storage.drivers.simulated import Place as SimulatedPlace
from stratal.storage.drivers.simulated import SimulatedDriver

_POOL = re.compile(r"[A-Za-z0-9_.-]{1,128}(/[A-Za-z0-9_.-]{1,128})?")


def storage_backends(settings: Settings, stack: ExitStack) -> dict[str, storage.Backend]:
    """By the names that policies know them by. What they open is closed with `stack`."""
    if settings.simulate:
        return {"simulated": _simulated()}
    return {"qcow2": _qcow2(settings), "rbd": _rbd(settings, stack)}


def _qcow2(settings: Settings) -> storage.Backend:
    """Disks as files, in the directories that the settings allow."""
    default = settings.storage_directory
    allowed = (default, *settings.storage.allowed_directories)

    def canonical(place: str) -> str:
        if not place:
            default.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = Path(place) if place else default
        field = "spec.place"
        if not path.is_absolute() or ".." in path.parts:
            raise Invalid(field=field, reason="must be the absolute path of a directory, without '..'")
        real = Path(os.path.realpath(path))
        if not any(real.is_relative_to(os.path.realpath(root)) for root in allowed):
            raise Invalid(field=field, reason=f"{path} is not in a directory that the settings allow")
        if not real.is_dir():
            raise Invalid(field=field, reason=f"there is no directory {path}")
        return str(real)

    return storage.Backend(
        canonical=canonical,
        prepare=lambda place: Qcow2Driver(Path(place)).prepare(),
        open=lambda place: Qcow2Driver(Path(place)),
    )


def _rbd(settings: Settings, stack: ExitStack) -> storage.Backend:
    """Disks in the pools of the Ceph cluster that the settings name."""

    def place_of(place: str) -> RbdPlace:
        pool, _, namespace = place.partition("/")
        return RbdPlace(
            conf=settings.storage.ceph_conf,
            user=settings.storage.ceph_user,
            pool=pool,
            namespace=namespace,
        )

    def canonical(place: str) -> str:
        field = "spec.place"
        if not _POOL.fullmatch(place):
            raise Invalid(field=field, reason="must be the name of a pool, or pool/namespace")
        if importlib.util.find_spec("rados") is None or importlib.util.find_spec("rbd") is None:
            raise Invalid(field="spec.driver", reason="this server lacks python3-rados or python3-rbd")
        if not settings.storage.ceph_conf.is_file():
            raise Invalid(
                field="spec.driver", reason=f"there is no {settings.storage.ceph_conf} on this server"
            )
        return place

    def prepare(place: str) -> None:
        """See whether the pool is there: it is never created here."""
        driver = RbdDriver(place_of(place))
        try:
            driver.capacity()
        finally:
            driver.close()

    def open_driver(place: str) -> RbdDriver:
        driver = RbdDriver(place_of(place))
        stack.callback(driver.close)
        return driver

    return storage.Backend(canonical=canonical, prepare=prepare, open=open_driver)


def _simulated() -> storage.Backend:
    """Disks in the memory of this process."""

    def canonical(place: str) -> str:
        name = place or "memory"
        if not name.replace("-", "").isalnum():
            raise Invalid(field="spec.place", reason="must be made of letters, digits and hyphens")
        return name

    def prepare(place: str) -> None:
        """There is nothing to make ready."""

    return storage.Backend(
        canonical=canonical,
        prepare=prepare,
        open=lambda place: SimulatedDriver(SimulatedPlace(name=place)),
        forgets=True,
    )
