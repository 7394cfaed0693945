"""What the tests of the RBD driver stand on: an empty namespace in a pool of a real Ceph."""

# ruff: noqa: F401  # fixtures are imported, and then named by parameters

import contextlib
import dataclasses
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from layer_mirror import Mirror

from ceph import Cluster, ceph_pool, shared_ceph
from stratal.storage.drivers.contract import LayerId, Location
from stratal.storage.drivers.rbd import RbdDriver, RbdPlace

KIB = 2**10
MIB = 2**20
SIZE = 2 * MIB

__all__ = ["KIB", "MIB", "SIZE", "Ground", "ceph_pool", "driver", "ground", "mirror", "shared_ceph"]


class Ground:
    """An empty namespace of the module's pool, and bare librbd in it."""

    def __init__(self, cluster: Cluster, pool: str, ioctx: Any) -> None:
        import rbd

        self.cluster = cluster
        self.ioctx = ioctx
        self.rbd = rbd
        self.drivers: list[RbdDriver] = []
        # Objects are small, so that small layers have several, and runs short, so that chains leave them.
        namespace = f"test-{uuid.uuid4().hex[:8]}"
        self.place = RbdPlace(
            conf=cluster.conf, pool=pool, namespace=namespace, object_bytes=256 * KIB, run_length=8
        )
        rbd.RBD().namespace_create(ioctx, namespace)
        ioctx.set_namespace(namespace)

    def driver(self) -> RbdDriver:
        self.drivers.append(RbdDriver(self.place))
        return self.drivers[-1]

    def image(self, name: str, content: bytes) -> Location:
        self.rbd.RBD().create(self.ioctx, name, len(content), order=18, old_format=False)
        with self.rbd.Image(self.ioctx, name) as image:
            image.write(content, 0)
        return self.place.location(name)

    def images(self) -> set[str]:
        return set(self.rbd.RBD().list(self.ioctx))


@pytest.fixture
def ground(shared_ceph: Cluster, ceph_pool: str) -> Iterator[Ground]:
    with shared_ceph.connected() as handle, contextlib.closing(handle.open_ioctx(ceph_pool)) as ioctx:
        ground = Ground(shared_ceph, ceph_pool, ioctx)
        yield ground
        for driver in ground.drivers:
            driver.close()


@pytest.fixture
def driver(ground: Ground) -> RbdDriver:
    return ground.driver()


@pytest.fixture
def mirror(driver: RbdDriver) -> Mirror:
    return Mirror(driver, SIZE)
