"""A snapshot is one and the same, whichever face made it, and whichever is asked for it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from evs_client import Cloud
from running_server import Client

pytestmark = pytest.mark.xdist_group("evs")


@pytest.fixture
def native(backed_cloud: Cloud) -> Iterator[Client]:
    """The NeutonOS face of the same server."""
    with closing(backed_cloud.server.client()) as client:
        yield client


def _named(native: Client, plural: str, name: str) -> dict[str, Any]:
    [found] = native.get(f"/{plural}/", params={"q": f'metadata.name:"{name}"'}).json()["items"]
    return found


def _acted(native: Client, path: str, **spec: object) -> None:
    answer = native.post(path, json={"spec": spec})
    assert answer.status_code == 202, answer.text


def test_a_snapshot_made_through_evs_is_the_same_on_the_neutonos_face(
    backed_cloud: Cloud, native: Client, unique: Callable[[str], str]
) -> None:
    disk, name = unique("disk"), unique("through-evs")
    volume = backed_cloud.volume(name=disk)
    body = {"snapshot": {"volume_id": volume, "name": name, "description": "d"}}
    path = f"/v3/{backed_cloud.project}/snapshots"
    made = backed_cloud.call("POST", path, body, expect=202).json()["snapshot"]
    backed_cloud.settled("snapshot", made["id"])
    there, disk_there = _named(native, "bs-snaps", name), _named(native, "bs-volumes", disk)
    id, disk_id = there["metadata"]["id"], disk_there["metadata"]["id"]
    assert there["spec"]["bs_volume_id"] == disk_id
    assert there["spec"]["description"] == "d"
    assert there["spec"]["size_mb"] == made["size"] * 1024
    # rolled back to there, it is seen here; renamed there, it is renamed here
    _acted(native, f"/bs-volumes/{disk_id}/:rollback", bs_snap_id=id)
    native.settled("bs-volumes", disk_id)
    backed_cloud.settled("volume", volume)
    renamed = native.patch(f"/bs-snaps/{id}", json={"spec": {"name": f"{name}-again"}})
    assert renamed.status_code == 202, renamed.text
    assert backed_cloud.show("snapshot", made["id"])["name"] == f"{name}-again"
    # deleted there, it is gone here
    assert native.delete(f"/bs-snaps/{id}").status_code == 202
    backed_cloud.gone("snapshot", made["id"])
    backed_cloud.call("DELETE", f"/v3/volumes/{volume}", expect=202)
    native.gone("bs-volumes", disk_id)


def test_a_snapshot_made_through_neutonos_is_the_same_on_the_evs_face(
    backed_cloud: Cloud, native: Client, unique: Callable[[str], str]
) -> None:
    disk, name, project = unique("disk"), unique("through-neutonos"), backed_cloud.project
    volume = backed_cloud.volume(name=disk)
    disk_id = _named(native, "bs-volumes", disk)["metadata"]["id"]
    id = native.create("bs-snaps", name=name, bs_volume_id=disk_id)["metadata"]["id"]
    [here] = backed_cloud.call("GET", f"/v3/snapshots/detail?volume_id={volume}").json()["snapshots"]
    assert (here["name"], here["status"], here["size"]) == (name, "available", 1)
    shown = backed_cloud.call("GET", f"/v2/{project}/cloudsnapshots/{here['id']}", expect=200).json()
    assert (shown["snapshot"]["name"], shown["snapshot"]["volume_id"]) == (name, volume)
    # a copy of it, a revert to it, metadata on it
    copy = backed_cloud.volume(size=2, snapshot_id=here["id"])
    assert backed_cloud.show("volume", copy)["snapshot_id"] == here["id"]
    backed_cloud.act(volume, "revert", {"snapshot_id": here["id"]}, version="3.40", expect=202)
    backed_cloud.settled("volume", volume)
    path = f"/v3/snapshots/{here['id']}"
    backed_cloud.call("POST", f"{path}/metadata", {"metadata": {"a": "b"}}, expect=200)
    assert backed_cloud.show("snapshot", here["id"])["metadata"] == {"a": "b"}
    backed_cloud.call("DELETE", path, expect=202)
    native.gone("bs-snaps", id)
    for each in (copy, volume):
        backed_cloud.call("DELETE", f"/v3/volumes/{each}", expect=202)
        backed_cloud.gone("volume", each)
