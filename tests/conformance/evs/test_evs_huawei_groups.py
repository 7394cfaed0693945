"""Huawei's snapshot groups and chains, and what finds disks by their tags."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from evs_client import Cloud

pytestmark = pytest.mark.xdist_group("evs")


def _v5(cloud: Cloud, method: str, path: str, body: Any = None, *, expect: int) -> Any:
    answer = cloud.call(method, f"/v5/{cloud.project}/{path}", body, expect=expect)
    return answer.json() if answer.content else None


def _moment(cloud: Cloud, volumes: list[str], **fields: Any) -> str:
    body = {"snapshot_group": {"volume_ids": volumes, **fields}}
    return _v5(cloud, "POST", "snapshot-groups", body, expect=202)["snapshot_group_id"]


def _parts(cloud: Cloud, group: str) -> list[dict[str, Any]]:
    return _v5(cloud, "GET", f"snapshots/detail?snapshot_group_id={group}", expect=200)["snapshots"]


def test_a_snapshot_group_is_one_moment_of_disks_that_are_no_group(
    member: Cloud, unique: Callable[[str], str]
) -> None:
    volumes, name = [member.volume() for _ in range(3)], unique("moment")
    group = _moment(member, volumes, name=name, tags={"a": "b"})
    parts = _parts(member, group)
    assert {each["volume_id"] for each in parts} == set(volumes)
    assert len({each["created_at"] for each in parts}) == 1
    for each in parts:
        member.settled("snapshot", each["id"])
        member.call("DELETE", f"/v5/{member.project}/snapshots/{each['id']}", expect=400)
    shown = _v5(member, "GET", f"snapshot-groups/{group}", expect=200)["snapshot_group"]
    assert (shown["name"], shown["status"], shown["tags"]) == (name, "available", {"a": "b"})
    listed = _v5(member, "GET", f"snapshot-groups/detail?name={name}", expect=200)["snapshot_groups"]
    assert [each["id"] for each in listed] == [group]
    assert _v5(member, "GET", f"snapshot-groups/count?name={name}", expect=200) == {"count": 1}
    # a generic group has no part in it, so the native list does not know it
    native = member.call("GET", "/v3/group_snapshots", version="3.58").json()["group_snapshots"]
    assert group not in {each["id"] for each in native}
    renamed = {"snapshot_group": {"name": "other"}}
    changed = _v5(member, "PUT", f"snapshot-groups/{group}", renamed, expect=200)
    assert changed["snapshot_group"]["name"] == "other"
    _v5(member, "DELETE", f"snapshot-groups/{group}", expect=202)
    for each in parts:
        member.gone("snapshot", each["id"])
    _v5(member, "GET", f"snapshot-groups/{group}", expect=404)


def test_one_disk_that_cannot_be_snapshotted_keeps_all_others_from_it(member: Cloud, cloud: Cloud) -> None:
    volumes = [member.volume() for _ in range(2)]
    cloud.act(volumes[1], "os-reset_status", {"status": "error"}, expect=202)
    body = {"snapshot_group": {"volume_ids": volumes}}
    refused = _v5(member, "POST", "snapshot-groups", body, expect=400)
    assert refused["error"]["code"].startswith("EVS.")
    found = member.call("GET", f"/v3/snapshots?volume_id={volumes[0]}").json()["snapshots"]
    assert found == []


@pytest.mark.parametrize("volume_ids", [None, [], ["00000000-0000-4000-8000-000000000000"]])
def test_snapshot_groups_of_nothing_are_refused(member: Cloud, volume_ids: list[str] | None) -> None:
    body = {"snapshot_group": {"volume_ids": volume_ids}}
    expect = 404 if volume_ids else 400
    _v5(member, "POST", "snapshot-groups", body, expect=expect)


def test_other_projects_disks_and_groups_are_not_there(member: Cloud, neighbour: Cloud) -> None:
    own, foreign = member.volume(), neighbour.volume()
    body = {"snapshot_group": {"volume_ids": [own, foreign]}}
    _v5(member, "POST", "snapshot-groups", body, expect=404)
    group = _moment(member, [own])
    for method in ("GET", "DELETE"):
        _v5(neighbour, method, f"snapshot-groups/{group}", expect=404)
    assert _v5(neighbour, "GET", "snapshot-groups/detail", expect=200) == {"snapshot_groups": []}


def test_snapshot_groups_are_tagged_and_found_by_tags(member: Cloud, unique: Callable[[str], str]) -> None:
    key, group = unique("key"), _moment(member, [member.volume()])
    tags = {"tags": [{"key": key, "value": "1"}, {"key": "x", "value": "2"}]}
    _v5(member, "POST", f"snapshot-groups/{group}/tags/create", tags, expect=204)
    assert {"key": key, "value": ["1"]} in _v5(member, "GET", "snapshot-groups/tags", expect=200)["tags"]
    wanted = json.dumps({key: "1"})
    path = f"snapshot-groups/detail?tags={wanted}"
    assert [each["id"] for each in _v5(member, "GET", path, expect=200)["snapshot_groups"]] == [group]
    _v5(member, "POST", f"snapshot-groups/{group}/tags/delete", {"tags": [{"key": key}]}, expect=204)
    assert _v5(member, "GET", path, expect=200)["snapshot_groups"] == []
    _v5(member, "GET", "snapshot-groups/detail?tags=nonsense", expect=400)


def test_the_snapshots_of_a_disk_are_one_chain(member: Cloud) -> None:
    volume = member.volume(size=2)
    for _ in range(2):
        member.snapshot(volume)
    [chain] = _v5(member, "GET", f"snapshot-chains?volume_id={volume}", expect=200)["snapshot_chains"]
    assert (chain["snapshot_count"], chain["volume_id"], chain["category"]) == (2, volume, "standard")
    assert _v5(member, "GET", f"snapshot-chains/count?volume_id={volume}", expect=200) == {"count": 1}


def test_several_disks_are_extended_at_once_or_none(member: Cloud) -> None:
    volumes = [member.volume() for _ in range(2)]

    def extended(*sizes: int, expect: int) -> Any:
        wanted = [{"id": id, "new_size": size} for id, size in zip(volumes, sizes, strict=True)]
        return _v5(member, "POST", "volumes/batch-extend", {"volumes": wanted}, expect=expect)

    extended(3, 1, expect=400)
    assert [member.show("volume", each)["size"] for each in volumes] == [1, 1]
    job = extended(3, 4, expect=202)["job_id"]
    for each in volumes:
        member.settled("volume", each)
    assert [member.show("volume", each)["size"] for each in volumes] == [3, 4]
    told = member.call("GET", f"/v1/{member.project}/jobs/{job}", expect=200).json()
    parts = told["entities"]["sub_jobs"]
    assert (told["status"], told["job_type"]) == ("SUCCESS", "batchExtendVolume")
    assert [each["job_type"] for each in parts] == ["extendVolume"] * 2
    assert [each["entities"]["volume_id"] for each in parts] == volumes
    again = member.call("GET", f"/v1/{member.project}/jobs/{job}", expect=200).json()
    assert told["begin_time"] <= told["end_time"] == again["end_time"]


def test_the_speed_of_a_disk_is_changed_and_seen_on_the_other_face(
    member: Cloud, cloud: Cloud, unique: Callable[[str], str]
) -> None:
    name = unique("quick")
    volume = member.volume(name=name)
    body = {"qos_modify": {"iops": 3000, "throughput": 150}}
    path = f"/v5/{member.project}/cloudvolumes/{volume}/qos"
    job = member.call("PUT", path, body, expect=202).json()["job_id"]
    told = member.call("GET", f"/v1/{member.project}/jobs/{job}", expect=200).json()
    assert told["job_type"] == "modifyVolumeQos"
    headers = {"x-sddc-token": cloud.token}
    native = cloud.http.get("/sddc/v1/bs-volumes/", params={"q": f"spec.name:{name}"}, headers=headers)
    [found] = native.json()["items"]
    assert (found["spec"]["max_total_iops"], found["spec"]["max_total_bw_bps"]) == (3000, 150 * 2**20)
    shown = member.call("GET", f"/v2/{member.project}/cloudvolumes/{volume}", expect=200).json()["volume"]
    assert (shown["iops"]["total_val"], shown["throughput"]["total_val"]) == (3000, 150)
    member.call("PUT", path, {"qos_modify": {"iops": -1}}, expect=400)


def test_disks_are_found_by_their_tags(member: Cloud, unique: Callable[[str], str]) -> None:
    key = unique("tag")
    volumes = {value: member.volume(name=f"{key}-{value}") for value in ("a", "b", "c")}
    for value, volume in volumes.items():
        body = {"action": "create", "tags": [{"key": key, "value": value}]}
        path = f"/v2/{member.project}/cloudvolumes/{volume}/tags/action"
        member.call("POST", path, body, expect=204)

    def found(**body: Any) -> Any:
        path = f"/v2/{member.project}/cloudvolumes/resource_instances/action"
        return member.call("POST", path, body, expect=200).json()

    some = found(action="filter", tags=[{"key": key, "values": ["a", "c"]}])
    assert {each["resource_id"] for each in some["resources"]} == {volumes["a"], volumes["c"]}
    assert some["total_count"] == 2
    assert found(action="count", tags=[{"key": key, "values": []}]) == {"total_count": 3}
    named = found(action="count", tags=[], matches=[{"key": "resource_name", "value": f"{key}-b"}])
    assert named == {"total_count": 1}
    first = found(action="filter", tags=[{"key": key, "values": []}], limit=1, offset=1)
    assert (first["total_count"], len(first["resources"])) == (3, 1)
    path = f"/v2/{member.project}/cloudvolumes/resource_instances/action"
    for body in (
        {"action": "odd", "tags": []},
        {"action": "filter", "matches": [{"key": "x", "value": "y"}]},
    ):
        member.call("POST", path, body, expect=400)


def test_the_older_calls_for_tags_see_the_same_tags(member: Cloud, unique: Callable[[str], str]) -> None:
    key, volume = unique("old"), member.volume()
    base = f"/v2/{member.project}/os-vendor-tags/volumes"
    member.call("POST", f"{base}/{volume}", {"tags": {key: "1", "other": "2"}}, expect=200)
    assert member.call("GET", f"{base}/{volume}/{key}", expect=200).json() == {"tag": {key: "1"}}
    member.call("PUT", f"{base}/{volume}/{key}", {"tag": {key: "3"}}, expect=200)
    found = member.call("GET", f"{base}/resource_instances?{key}=3", expect=200).json()
    assert [each["resource_id"] for each in found["resource_instances"]] == [volume]
    member.call("DELETE", f"{base}/{volume}/other", expect=204)
    member.call("GET", f"{base}/{volume}/other", expect=404)
    tags = member.call("GET", f"/v2/{member.project}/cloudvolumes/{volume}/tags", expect=200).json()["tags"]
    assert tags == [{"key": key, "value": "3"}]
    member.call("PUT", f"{base}/{volume}", {"tags": {}}, expect=200)
    assert member.call("GET", f"{base}/{volume}", expect=200).json() == {"tags": {}}
    assert key not in member.call("GET", base, expect=200).json()["tags"]
    member.call("GET", base.replace("volumes", "backups"), expect=404)
