"""The clients that this face is for, against a server that keeps its disks in Ceph."""

# ruff: noqa: F401, F811  # fixtures and tests are imported, and fixtures then named by parameters

from collections.abc import Iterator
from contextlib import closing

import pytest
from test_evs_both_faces import (
    native,
    test_a_snapshot_made_through_evs_is_the_same_on_the_neutonos_face,
    test_a_snapshot_made_through_neutonos_is_the_same_on_the_evs_face,
)
from test_evs_clients import (
    test_cinderclient_runs_the_whole_life_of_volumes_and_snapshots,
    test_huaweis_sdk_runs_the_whole_life_of_disks_and_snapshots,
    test_openstacksdk_runs_the_whole_life_of_volumes_and_snapshots,
    test_the_openstack_command_runs_the_whole_life_of_volumes_and_snapshots,
)

from ceph import Cluster, ceph_pool, shared_ceph
from evs_client import Cloud
from running_server import running_server

pytestmark = pytest.mark.xdist_group("ceph")


@pytest.fixture(scope="module")
def backed_cloud(
    tmp_path_factory: pytest.TempPathFactory, shared_ceph: Cluster, ceph_pool: str
) -> Iterator[Cloud]:
    """The administrator of a server whose default type is a pool."""
    settings = {"STRATAL_STORAGE__CEPH_CONF": str(shared_ceph.conf)}
    with running_server(tmp_path_factory.mktemp("evs-rbd"), environment=settings) as server:
        with closing(server.client()) as native:
            [first] = native.get("/bs-policies?q=spec.name:default").json()["items"]
            native.settled("bs-policies", first["metadata"]["id"])
            native.delete(f"/bs-policies/{first['metadata']['id']}")
            native.gone("bs-policies", first["metadata"]["id"])
            native.create("bs-policies", name="default", driver="rbd", place=ceph_pool)
        with Cloud(server, "admin", server.password, "default") as cloud:
            yield cloud
