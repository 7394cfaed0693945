"""Default types, classes of quotas, encryption records, services, messages, uploads and the recycle bin."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from evs_client import Cloud

pytestmark = pytest.mark.xdist_group("evs")


def _get(cloud: Cloud, path: str, version: str = "3.66") -> Any:
    return cloud.call("GET", path, version=version, expect=200).json()


@pytest.fixture
def new_type(cloud: Cloud, unique: Callable[[str], str]) -> dict[str, Any]:
    body = {"volume_type": {"name": unique("kind")}}
    return cloud.call("POST", "/v3/types", body, expect=200).json()["volume_type"]


# -- default types -------------------------------------------------------------------------------------


def test_a_projects_default_type_is_that_of_volumes_that_name_none(
    cloud: Cloud, member: Cloud, new_type: dict[str, Any]
) -> None:
    path = f"/v3/default-types/{cloud.project}"
    cloud.call("GET", path, version="3.62", expect=404)
    chosen = {"default_type": {"volume_type": new_type["name"]}}
    member.call("PUT", path, chosen, version="3.62", expect=403)
    made = cloud.call("PUT", path, chosen, version="3.62", expect=200).json()
    assert made == {"default_type": {"project_id": cloud.project, "volume_type_id": new_type["id"]}}
    assert _get(cloud, path) == made
    assert made["default_type"] in _get(cloud, "/v3/default-types")["default_types"]
    assert _get(cloud, "/v3/types/default")["volume_type"]["id"] == new_type["id"]
    try:
        volume = cloud.volume()
        assert cloud.show("volume", volume)["volume_type"] == new_type["name"]
        cloud.call("DELETE", f"/v3/types/{new_type['id']}", expect=400)
    finally:
        cloud.call("DELETE", path, version="3.62", expect=204)
    assert cloud.show("volume", cloud.volume())["volume_type"] == "default"


# -- quota classes -------------------------------------------------------------------------------------


def test_the_default_class_limits_projects_without_limits_of_their_own(
    cloud: Cloud, neighbour: Cloud
) -> None:
    path = "/v3/os-quota-class-sets/default"
    assert _get(cloud, path)["quota_class_set"]["snapshots"] == -1
    volume = neighbour.volume()
    cloud.call("PUT", path, {"quota_class_set": {"snapshots": 0}}, expect=200)
    body = {"snapshot": {"volume_id": volume}}
    try:
        refused = neighbour.call("POST", "/v3/snapshots", body, version="3.66", expect=413)
        assert refused.json()["overLimit"]["message"].startswith("SnapshotLimitExceeded")
        own = {"quota_set": {"snapshots": 5}}
        cloud.call("PUT", f"/v3/os-quota-sets/{neighbour.project}", own, expect=200)
        neighbour.call("POST", "/v3/snapshots", body, version="3.66", expect=202)
    finally:
        cloud.call("PUT", path, {"quota_class_set": {"snapshots": -1}}, expect=200)
        cloud.call("DELETE", f"/v3/os-quota-sets/{neighbour.project}", expect=200)
    cloud.call("GET", "/v3/os-quota-class-sets/other", expect=404)
    cloud.call("PUT", path, {"quota_class_set": {"gigabytes": 5}}, expect=400)


# -- encryption ----------------------------------------------------------------------------------------


def test_an_encryption_record_is_kept_and_keeps_volumes_from_being_made_in_clear(
    cloud: Cloud, new_type: dict[str, Any]
) -> None:
    path = f"/v3/types/{new_type['id']}/encryption"
    assert _get(cloud, path) == {}
    body = {"encryption": {"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256}}
    made = cloud.call("POST", path, body, expect=200).json()["encryption"]
    assert (made["provider"], made["control_location"]) == ("luks", "front-end")
    cloud.call("POST", path, body, expect=400)
    assert _get(cloud, path)["encryption_id"] == made["encryption_id"]
    assert _get(cloud, f"{path}/cipher") == {"cipher": "aes-xts-plain64"}
    volume = {"volume": {"size": 1, "volume_type": new_type["id"]}}
    refused = cloud.call("POST", "/v3/volumes", volume, expect=400).json()["badRequest"]["message"]
    assert "encrypt" in refused
    one = f"{path}/{made['encryption_id']}"
    cloud.call("PUT", one, {"encryption": {"key_size": 512}}, expect=200)
    assert _get(cloud, path)["key_size"] == 512
    cloud.call("PUT", one, {"encryption": {"control_location": "nowhere"}}, expect=400)
    cloud.call("DELETE", one, expect=202)
    plain = cloud.volume(volume_type=new_type["id"])
    cloud.call("POST", path, body, expect=400)
    assert _get(cloud, f"/v3/volumes/{plain}/encryption/encryption_key_id") == {"encryption_key_id": None}


# -- services ------------------------------------------------------------------------------------------


def test_a_disabled_service_gets_no_new_volumes(cloud: Cloud, new_type: dict[str, Any]) -> None:
    services = _get(cloud, "/v3/os-services")["services"]
    [host] = [each["host"] for each in services if each["host"].endswith(f"@{new_type['name']}")]
    assert {each["binary"] for each in services} == {"cinder-volume", "cinder-scheduler"}
    before = cloud.volume(volume_type=new_type["id"])
    body = {"host": host, "binary": "cinder-volume", "disabled_reason": "new disks come"}
    told = cloud.call("PUT", "/v3/os-services/disable-log-reason", body, expect=200).json()
    assert (told["status"], told["disabled_reason"]) == ("disabled", "new disks come")
    [shown] = _get(cloud, f"/v3/os-services?host={host}")["services"]
    assert (shown["status"], shown["disabled_reason"]) == ("disabled", "new disks come")
    wanted = {"volume": {"size": 1, "volume_type": new_type["id"]}}
    cloud.call("POST", "/v3/volumes", wanted, expect=400)
    cloud.call("POST", "/v3/volumes", {"volume": {"source_volid": before, "size": 1}}, expect=400)
    cloud.act(before, "os-extend", {"new_size": 2}, expect=202)
    cloud.call("PUT", "/v3/os-services/enable", {"host": host, "binary": "cinder-volume"}, expect=200)
    cloud.volume(volume_type=new_type["id"])
    cloud.call("PUT", "/v3/os-services/disable", {"host": "nowhere", "binary": "cinder-volume"}, expect=404)


def test_capabilities_filters_hosts_and_clusters_are_told(cloud: Cloud, member: Cloud) -> None:
    [pool] = [
        each["name"]
        for each in _get(cloud, "/v3/scheduler-stats/get_pools")["pools"]
        if each["name"].endswith("#default")
    ]
    told = _get(cloud, f"/v3/capabilities/{pool.replace('#', '%23')}")
    assert (told["volume_backend_name"], told["storage_protocol"]) == ("default", "simulated")
    cloud.call("GET", "/v3/capabilities/nowhere", expect=404)
    member.call("GET", f"/v3/capabilities/{pool.replace('#', '%23')}", expect=403)
    [filters] = _get(member, "/v3/resource_filters?resource=volume")["resource_filters"]
    assert {"name", "status", "metadata"} <= set(filters["filters"])
    assert _get(cloud, "/v3/clusters/detail") == {"clusters": []}
    assert _get(cloud, "/v3/os-hosts")["hosts"]
    assert _get(member, "/v3/extensions/os-services")["extension"]["alias"] == "os-services"


# -- groups --------------------------------------------------------------------------------------------


def test_specs_of_group_types_are_changed_one_by_one(cloud: Cloud, unique: Callable[[str], str]) -> None:
    body = {"group_type": {"name": unique("gt")}}
    made = cloud.call("POST", "/v3/group_types", body, version="3.11", expect=202).json()["group_type"]
    path = f"/v3/group_types/{made['id']}/group_specs"
    cloud.call("POST", path, {"group_specs": {"a": "1", "b": "2"}}, version="3.11", expect=202)
    cloud.call("PUT", f"{path}/a", {"a": "3"}, version="3.11", expect=200)
    cloud.call("DELETE", f"{path}/b", version="3.11", expect=202)
    cloud.call("GET", f"{path}/b", version="3.11", expect=404)
    assert _get(cloud, path) == {"group_specs": {"a": "3"}}
    assert _get(cloud, f"{path}/a") == {"a": "3"}


def test_an_administrator_says_what_the_status_of_a_group_is(
    cloud: Cloud, member: Cloud, unique: Callable[[str], str]
) -> None:
    body = {"group_type": {"name": unique("gt")}}
    kind = cloud.call("POST", "/v3/group_types", body, version="3.11", expect=202).json()["group_type"]["id"]
    group = {"group": {"group_type": kind, "volume_types": ["default"]}}
    made = cloud.call("POST", "/v3/groups", group, version="3.58", expect=202).json()["group"]["id"]
    cloud.volume(group_id=made)
    moment = cloud.call(
        "POST", "/v3/group_snapshots", {"group_snapshot": {"group_id": made}}, version="3.58", expect=202
    ).json()["group_snapshot"]["id"]
    error = {"reset_status": {"status": "error"}}
    for path, what in ((f"/v3/groups/{made}", "group"), (f"/v3/group_snapshots/{moment}", "group_snapshot")):
        member.call("POST", f"{path}/action", error, version="3.58", expect=403)
        cloud.call("POST", f"{path}/action", error, version="3.58", expect=202)
        assert _get(cloud, path)[what]["status"] == "error"
        cloud.call("POST", f"{path}/action", {"reset_status": {"status": "odd"}}, version="3.58", expect=400)
        cloud.call(
            "POST", f"{path}/action", {"reset_status": {"status": "available"}}, version="3.58", expect=202
        )
        assert _get(cloud, path)[what]["status"] in ("available", "creating")


# -- volumes that become images ------------------------------------------------------------------------


def _image_is_active(cloud: Cloud, image: str) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while (found := cloud.call("GET", f"/image/v2/images/{image}", expect=200).json())["status"] != "active":
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_a_volume_becomes_an_image_and_the_image_a_volume(
    member: Cloud, neighbour: Cloud, unique: Callable[[str], str]
) -> None:
    volume, name = member.volume(size=2), unique("image")
    arguments = {"image_name": name, "disk_format": "qcow2", "container_format": "bare"}
    told = member.act(volume, "os-volume_upload_image", arguments, version="3.66", expect=202)
    uploaded = told.json()["os-volume_upload_image"]
    assert (uploaded["status"], uploaded["size"], uploaded["image_name"]) == ("uploading", 2, name)
    image = _image_is_active(member, uploaded["image_id"])
    assert (image["name"], image["disk_format"], image["min_disk"]) == (name, "qcow2", 2)
    assert member.show("volume", volume)["status"] == "available"
    copy = member.volume(size=3, imageRef=image["id"])
    assert member.show("volume", copy)["bootable"] == "true"
    neighbour.call("GET", f"/image/v2/images/{image['id']}", expect=404)
    # the image holds its data by itself
    member.call("DELETE", f"/v3/volumes/{volume}", expect=202)
    member.gone("volume", volume)
    assert _image_is_active(member, image["id"])
    member.volume(size=2, imageRef=image["id"])


def test_uploads_are_refused_for_what_cannot_be(member: Cloud, unique: Callable[[str], str]) -> None:
    volume = member.volume()
    for arguments in (
        {},
        {"image_name": ""},
        {"image_name": "x", "disk_format": "vhd"},
        {"image_name": "x", "container_format": "ova"},
        {"image_name": "x", "protected": True},
    ):
        member.act(volume, "os-volume_upload_image", arguments, version="3.66", expect=400)
    public = {"image_name": "x", "visibility": "public"}
    member.act(volume, "os-volume_upload_image", public, version="3.66", expect=403)
    member.act(volume, "os-attach", {"mountpoint": "/dev/vdc", "host_name": "h", "mode": "rw"}, expect=202)
    named = {"image_name": unique("in-use")}
    member.act(volume, "os-volume_upload_image", named, expect=400)
    member.act(volume, "os-volume_upload_image", {**named, "force": True}, expect=202)


# -- the recycle bin -----------------------------------------------------------------------------------


def _bin(cloud: Cloud, rest: str) -> str:
    return f"/v3/{cloud.project}/recycle-bin-volumes/{rest}"


def test_a_deleted_disk_waits_in_the_bin_and_comes_back_with_its_snapshots(
    neighbour: Cloud, cloud: Cloud
) -> None:
    policy = {"switch": True, "threshold_time": 0, "keep_time": 3}
    assert _get(neighbour, _bin(neighbour, "policy"))["switch"] is False
    neighbour.call("PUT", _bin(neighbour, "policy"), policy, expect=200)
    assert _get(neighbour, _bin(neighbour, "policy")) == policy
    try:
        disk = neighbour.volume(name="kept")
        snapshot = neighbour.snapshot(disk)
        path = f"/v2/{neighbour.project}/cloudvolumes/{disk}"
        job = neighbour.call("DELETE", path, expect=200).json()["job_id"]
        told = _get(neighbour, f"/v1/{neighbour.project}/jobs/{job}")
        assert told["status"] == "SUCCESS"
        neighbour.call("GET", path, expect=404)
        neighbour.call("GET", f"/v3/snapshots/{snapshot}", expect=404)
        listed = _get(neighbour, f"/v3/{neighbour.project}/volumes/detail")["volumes"]
        assert disk not in {each["id"] for each in listed}
        kept = _get(neighbour, _bin(neighbour, "detail"))
        assert kept["count"] == 1
        assert (kept["volumes"][0]["id"], kept["volumes"][0]["name"]) == (disk, "kept")
        assert _get(neighbour, _bin(neighbour, disk))["volume"]["plan_delete_at"] > told["begin_time"]
        cloud.call("GET", _bin(cloud, disk.replace("-", "x")), expect=404)
        neighbour.call("POST", _bin(neighbour, f"{disk}/revert"), {}, expect=202)
        assert _get(neighbour, path)["volume"]["status"] == "available"
        assert neighbour.show("snapshot", snapshot)["volume_id"] == disk
        neighbour.call("GET", _bin(neighbour, disk), expect=404)
        neighbour.call("DELETE", path, expect=200)
        neighbour.call("DELETE", _bin(neighbour, disk), expect=202)
        neighbour.gone("volume", disk)
        assert _get(neighbour, _bin(neighbour, "detail"))["count"] == 0
    finally:
        neighbour.call("PUT", _bin(neighbour, "policy"), {"switch": False}, expect=200)
    neighbour.call("PUT", _bin(neighbour, "policy"), {"keep_time": 0}, expect=400)
