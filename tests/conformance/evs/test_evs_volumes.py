"""Volumes of Block Storage: their life, their states, and what is refused."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from evs_client import Cloud

pytestmark = pytest.mark.xdist_group("evs")


def test_a_volume_lives_from_creation_to_deletion(cloud: Cloud) -> None:
    volume = cloud.volume(name="life", description="d", metadata={"k": "v"})
    shown = cloud.show("volume", volume, "3.0")
    assert (shown["status"], shown["size"], shown["bootable"]) == ("available", 1, "false")
    assert shown["metadata"] == {"k": "v"}
    assert shown["os-vol-tenant-attr:tenant_id"] == cloud.project
    assert "volume_type_id" not in shown
    assert cloud.show("volume", volume, "3.63")["volume_type_id"]
    changed = cloud.call("PUT", f"/v3/volumes/{volume}", {"volume": {"name": "other"}}, expect=200)
    assert changed.json()["volume"]["name"] == "other"
    cloud.act(volume, "os-extend", {"new_size": 3}, expect=202)
    cloud.settled("volume", volume)
    assert cloud.show("volume", volume)["size"] == 3
    cloud.call("DELETE", f"/v3/volumes/{volume}", expect=202)
    cloud.gone("volume", volume)


def test_copies_start_as_what_they_are_copies_of(cloud: Cloud) -> None:
    source = cloud.volume(name="source")
    snapshot = cloud.snapshot(source)
    of_snapshot = cloud.volume(size=None, snapshot_id=snapshot)
    assert cloud.show("volume", of_snapshot)["snapshot_id"] == snapshot
    larger = cloud.volume(size=2, snapshot_id=snapshot)
    assert cloud.show("volume", larger)["size"] == 2
    of_volume = cloud.volume(size=None, source_volid=source)
    assert cloud.show("volume", of_volume)["source_volid"] == source
    body = {"volume": {"size": 1, "snapshot_id": snapshot, "source_volid": source}}
    cloud.call("POST", "/v3/volumes", body, expect=400)
    cloud.call("DELETE", f"/v3/snapshots/{snapshot}", expect=202)
    cloud.gone("snapshot", snapshot)
    assert cloud.show("volume", source)["status"] == "available"


@pytest.mark.parametrize(
    ("volume", "status", "message"),
    [
        ({}, 400, "malformed or otherwise incorrect"),
        ({"size": 0}, 400, "size"),
        ({"size": -1}, 400, "size"),
        ({"size": 1.5}, 400, "size"),
        ({"size": "abc"}, 400, "size"),
        ({"size": "0"}, 400, "size"),
        ({"size": 10**6}, 400, "size"),
        ({"size": 1, "name": "x" * 256}, 400, "name"),
        ({"size": 1, "name": "a\nb"}, 400, "name"),
        ({"size": 1, "metadata": {"k": None}}, 400, "metadata"),
        ({"size": 1, "volume_type": "nosuch"}, 404, "Volume type with name nosuch could not be found."),
        ({"size": 1, "availability_zone": "mars"}, 400, "Availability zone 'mars' is invalid."),
        ({"size": 1, "snapshot_id": str(uuid4())}, 404, "Snapshot"),
        ({"size": 1, "source_volid": "zz"}, 404, "Volume zz"),
        ({"size": 1, "imageRef": str(uuid4())}, 404, "Image"),
        ({"size": 1, "backup_id": str(uuid4())}, 404, "Backup"),
        ({"size": 1, "multiattach": True}, 400, "multiattach parameter has been removed"),
        ({"size": 1, "foo": 1}, 400, "'foo' was unexpected"),
    ],
)
def test_what_cannot_be_created_leaves_nothing_behind(
    cloud: Cloud, volume: dict[str, object], status: int, message: str
) -> None:
    before = cloud.call("GET", "/v3/limits").json()
    answer = cloud.call("POST", "/v3/volumes", {"volume": volume}, version="3.66", expect=status)
    [error] = answer.json().values()
    assert message in error["message"]
    assert cloud.call("GET", "/v3/limits").json() == before


@pytest.mark.parametrize(
    "body",
    [
        b'{"volume": {"size": 1, "size": 2}}',
        b"",
        b"{bad",
        b"[]",
        b'"x"',
        b"{}",
        b'{"volume": 1}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_any_body_that_is_none_is_a_clean_400(cloud: Cloud, body: bytes) -> None:
    answer = cloud.http.post("/v3/volumes", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"badRequest"}


def test_extra_parameters_are_let_through_in_old_versions_only(cloud: Cloud) -> None:
    body = {"volume": {"size": 1, "foo": 1}}
    cloud.call("POST", "/v3/volumes", body, version="3.52", expect=202)
    cloud.call("POST", "/v3/volumes", body, version="3.53", expect=400)


def test_only_larger_sizes_are_extended_to(cloud: Cloud) -> None:
    volume = cloud.volume(size=2)
    for size in (2, 1):
        refused = cloud.act(volume, "os-extend", {"new_size": size}, expect=400)
        assert "current: 2" in refused.text
    cloud.act(volume, "os-extend", {"new_size": "x"}, expect=400)
    cloud.act(volume, "os-extend", {}, expect=400)


def test_a_volume_in_use_is_extended_from_3_42_on(cloud: Cloud) -> None:
    volume = cloud.volume()
    cloud.act(volume, "os-attach", {"instance_uuid": str(uuid4()), "mountpoint": "/dev/vdb"}, expect=202)
    cloud.act(volume, "os-extend", {"new_size": 2}, version="3.41", expect=400)
    cloud.act(volume, "os-extend", {"new_size": 2}, version="3.42", expect=202)
    cloud.settled("volume", volume, "in-use")


def test_attaching_and_detaching_go_through_their_states(cloud: Cloud) -> None:
    volume, server = cloud.volume(), str(uuid4())
    cloud.act(volume, "os-reserve", expect=202)
    assert cloud.show("volume", volume)["status"] == "attaching"
    refused = cloud.act(volume, "os-reserve", expect=400)
    assert "attaching" in refused.json()["badRequest"]["message"]
    cloud.act(volume, "os-unreserve", expect=202)
    assert cloud.show("volume", volume)["status"] == "available"
    cloud.act(volume, "os-reserve", expect=202)
    cloud.act(volume, "os-attach", {"instance_uuid": server, "mountpoint": "/dev/vdc"}, expect=202)
    shown = cloud.show("volume", volume)
    assert (shown["status"], shown["attachments"][0]["server_id"]) == ("in-use", server)
    cloud.call("DELETE", f"/v3/volumes/{volume}", expect=400)
    cloud.act(volume, "os-begin_detaching", expect=202)
    cloud.act(volume, "os-roll_detaching", expect=202)
    assert cloud.show("volume", volume)["status"] == "in-use"
    cloud.act(volume, "os-begin_detaching", expect=202)
    assert cloud.show("volume", volume)["status"] == "detaching"
    cloud.act(volume, "os-detach", {"attachment_id": shown["attachments"][0]["attachment_id"]}, expect=202)
    assert cloud.show("volume", volume)["attachments"] == []
    cloud.call("DELETE", f"/v3/volumes/{volume}", expect=202)


def test_attachments_are_resources_of_their_own(cloud: Cloud, neighbour: Cloud) -> None:
    volume = cloud.volume()
    body = {"attachment": {"volume_uuid": volume, "instance_uuid": str(uuid4())}}
    cloud.call("POST", "/v3/attachments", body, version="3.26", expect=404)
    made = cloud.call("POST", "/v3/attachments", body, version="3.54", expect=200).json()["attachment"]
    assert (made["status"], cloud.show("volume", volume)["status"]) == ("reserved", "reserved")
    path = f"/v3/attachments/{made['id']}"
    connector = {"attachment": {"connector": {"host": "h", "mountpoint": "/dev/vdc"}}}
    cloud.call("PUT", path, connector, version="3.54", expect=200)
    assert cloud.show("volume", volume)["status"] == "attaching"
    cloud.call("POST", f"{path}/action", {"os-complete": {}}, version="3.44", expect=204)
    assert cloud.show("volume", volume)["status"] == "in-use"
    neighbour.call("GET", path, version="3.54", expect=404)
    neighbour.call("DELETE", path, version="3.54", expect=404)
    listed = cloud.call("GET", f"/v3/attachments?volume_id={volume}", version="3.54").json()["attachments"]
    assert [each["id"] for each in listed] == [made["id"]]
    cloud.call("DELETE", path, version="3.54", expect=200)
    assert cloud.show("volume", volume)["status"] == "available"


def test_a_volume_goes_back_to_its_latest_snapshot_only(cloud: Cloud) -> None:
    volume = cloud.volume()
    older, latest = cloud.snapshot(volume), cloud.snapshot(volume)
    cloud.act(volume, "revert", {"snapshot_id": latest}, expect=404)
    refused = cloud.act(volume, "revert", {"snapshot_id": older}, version="3.40", expect=400)
    assert "latest" in refused.text
    cloud.act(volume, "revert", {"snapshot_id": latest}, version="3.40", expect=202)
    cloud.settled("volume", volume)
    cloud.settled("snapshot", latest)
    rolled = cloud.call(
        "POST",
        f"/v2/{cloud.project}/cloudsnapshots/{older}/rollback",
        {"rollback": {"volume_id": volume}},
        expect=202,
    )
    assert rolled.json() == {"rollback": {"volume_id": volume}}
    cloud.settled("volume", volume)


def test_a_revert_that_cannot_be_changes_nothing(cloud: Cloud) -> None:
    volume = cloud.volume()
    snapshot = cloud.snapshot(volume)
    action = f"/v3/snapshots/{snapshot}/action"
    cloud.call("POST", action, {"os-reset_status": {"status": "error"}}, expect=202)
    cloud.act(volume, "revert", {"snapshot_id": snapshot}, version="3.40", expect=409)
    assert cloud.show("volume", volume)["status"] == "available"
    cloud.call("POST", action, {"os-reset_status": {"status": "available"}}, expect=202)
    cloud.act(volume, "revert", {"snapshot_id": snapshot}, version="3.40", expect=202)
    cloud.settled("volume", volume)


def test_volumes_with_snapshots_are_deleted_in_cascade_only(cloud: Cloud) -> None:
    volume = cloud.volume()
    snapshots = [cloud.snapshot(volume) for _ in range(3)]
    refused = cloud.call("DELETE", f"/v3/volumes/{volume}", expect=400)
    assert "snapshots" in refused.text
    cloud.call("DELETE", f"/v3/volumes/{volume}?cascade=true", expect=202)
    cloud.gone("volume", volume)
    for snapshot in snapshots:
        cloud.gone("snapshot", snapshot)


def test_an_action_is_one_that_there_is(cloud: Cloud) -> None:
    volume = cloud.volume()
    refused = cloud.act(volume, "os-nope", {}, expect=400)
    assert "There is no such action: os-nope" in refused.text
    body = {"os-reserve": None, "os-unreserve": None}
    cloud.call("POST", f"/v3/volumes/{volume}/action", body, expect=400)
    cloud.call("POST", f"/v3/volumes/{volume}/action", [], expect=400)


def test_administrators_set_a_status_and_nobody_else_does(cloud: Cloud, member: Cloud) -> None:
    volume = cloud.volume()
    member.act(volume, "os-reset_status", {"status": "error"}, expect=403)
    cloud.act(volume, "os-reset_status", {"status": "nope"}, expect=400)
    cloud.act(volume, "os-reset_status", {"status": "maintenance"}, expect=202)
    assert member.show("volume", volume)["status"] == "maintenance"
    member.call("DELETE", f"/v3/volumes/{volume}", expect=400)
    member.act(volume, "os-force_delete", {}, expect=403)
    cloud.act(volume, "os-force_delete", {}, expect=202)
    cloud.gone("volume", volume)


def test_another_projects_volumes_are_not_there(cloud: Cloud, neighbour: Cloud) -> None:
    volume = cloud.volume()
    neighbour.call("GET", f"/v3/volumes/{volume}", expect=404)
    neighbour.call("DELETE", f"/v3/volumes/{volume}", expect=404)
    neighbour.act(volume, "os-extend", {"new_size": 9}, expect=404)
    neighbour.call("POST", "/v3/volumes", {"volume": {"size": 1, "source_volid": volume}}, expect=404)
    wrong = neighbour.call("GET", f"/v3/{cloud.project}/volumes", expect=400)
    assert wrong.json()["badRequest"]["message"] == "Malformed request url"


def test_metadata_has_an_etag_that_guards_it(cloud: Cloud) -> None:
    path = f"/v3/volumes/{cloud.volume(metadata={'a': 'b'})}/metadata"
    etag = cloud.call("GET", path, version="3.15").headers["etag"]
    stale = {"if-match": "0" * 32}
    cloud.call("PUT", path, {"metadata": {"a": "c"}}, version="3.15", headers=stale, expect=412)
    cloud.call("PUT", path, {"metadata": {"a": "c"}}, version="3.15", headers={"if-match": etag}, expect=200)
    assert cloud.call("GET", path).json() == {"metadata": {"a": "c"}}


def test_lists_are_filtered_as_clients_ask(cloud: Cloud, unique: Callable[[str], str]) -> None:
    name, mark = unique("found"), unique("mark")
    volume = cloud.volume(size=7, name=name, metadata={"mark": mark})

    def found(query: str, version: str = "3.60") -> list[str]:
        answer = cloud.call("GET", f"/v3/volumes/detail?{query}", version=version, expect=200)
        return [each["id"] for each in answer.json()["volumes"]]

    assert found(f"name={name}") == [volume]
    assert found(f"metadata={{'mark': '{mark}'}}") == [volume]
    assert volume in found("size=7")
    assert volume in found("status=available&created_at=gt:2020-01-01T00:00:00")
    assert volume not in found("created_at=lt:2020-01-01T00:00:00")
    assert found(f"name~={name[1:]}") == [volume]
    assert found("foo=bar") == []
    for query in ("limit=-1", "limit=a", "sort=nokey", "sort=created_at:up", "offset=99999999999999999999"):
        cloud.call("GET", f"/v3/volumes?{query}", expect=400)
    cloud.call("GET", f"/v3/volumes?marker={uuid4()}", expect=404)
    cloud.call("GET", "/v3/volumes?limit=99999999999", expect=200)


def test_a_volume_is_handed_to_another_project_with_its_snapshots(cloud: Cloud, neighbour: Cloud) -> None:
    volume = cloud.volume(name="gift")
    snapshot = cloud.snapshot(volume)
    body = {"transfer": {"volume_id": volume, "name": "t"}}
    cloud.call("POST", "/v3/os-volume-transfer", body, expect=400)
    made = cloud.call("POST", "/v3/volume-transfers", body, version="3.55", expect=202).json()["transfer"]
    assert cloud.show("volume", volume)["status"] == "awaiting-transfer"
    listed = cloud.call("GET", "/v3/volume-transfers/detail", version="3.55")
    assert made["id"] in listed.text
    assert made["auth_key"] not in listed.text
    path = f"/v3/volume-transfers/{made['id']}"
    neighbour.call("GET", path, version="3.55", expect=404)
    wrong = {"accept": {"auth_key": "0" * 32}}
    neighbour.call("POST", f"{path}/accept", wrong, version="3.55", expect=400)
    right = {"accept": {"auth_key": made["auth_key"]}}
    neighbour.call("POST", f"{path}/accept", right, version="3.55", expect=202)
    neighbour.settled("volume", volume)
    assert neighbour.show("snapshot", snapshot)["volume_id"] == volume
    neighbour.call("DELETE", f"/v3/volumes/{volume}?cascade=true", expect=202)
    neighbour.gone("volume", volume)


def test_quotas_hold_and_do_not_drift(cloud: Cloud, newcomer: Cloud) -> None:
    path = f"/v3/os-quota-sets/{newcomer.project}"
    newcomer.call("PUT", path, {"quota_set": {"volumes": 100}}, expect=403)
    limits = {"quota_set": {"volumes": 2, "snapshots": 1, "gigabytes": 5}}
    assert cloud.call("PUT", path, limits, expect=200).json()["quota_set"]["gigabytes"] == 5
    try:
        volume = newcomer.volume(size=2)
        over = newcomer.call("POST", "/v3/volumes", {"volume": {"size": 4}}, expect=413)
        assert over.json()["overLimit"]["message"] == (
            "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
            "Requested 4G, quota is 5G and 2G has been consumed."
        )
        assert over.headers["retry-after"] == "0"
        newcomer.act(volume, "os-extend", {"new_size": 6}, expect=413)
        other = newcomer.volume()
        number = newcomer.call("POST", "/v3/volumes", {"volume": {"size": 1}}, expect=413)
        assert "VolumeLimitExceeded" in number.text
        snapshot = newcomer.snapshot(volume)
        newcomer.call("POST", "/v3/snapshots", {"snapshot": {"volume_id": volume}}, expect=413)
        used = newcomer.call("GET", f"{path}?usage=True", expect=200).json()["quota_set"]
        assert used["gigabytes"] == {"limit": 5, "in_use": 3, "reserved": 0}
        assert (used["volumes"]["in_use"], used["snapshots"]["in_use"]) == (2, 1)
        newcomer.call("DELETE", f"/v3/snapshots/{snapshot}", expect=202)
        newcomer.gone("snapshot", snapshot)
        for each in (volume, other):
            newcomer.call("DELETE", f"/v3/volumes/{each}", expect=202)
            newcomer.gone("volume", each)
        used = newcomer.call("GET", f"{path}?usage=True").json()["quota_set"]
        assert (used["volumes"]["in_use"], used["gigabytes"]["in_use"]) == (0, 0)
    finally:
        cloud.call("DELETE", path, expect=200)


def test_types_are_policies_with_extra_specs(
    cloud: Cloud, member: Cloud, neighbour: Cloud, unique: Callable[[str], str]
) -> None:
    name = unique("type")
    body = {"volume_type": {"name": name, "os-volume-type-access:is_public": False}}
    member.call("POST", "/v3/types", body, expect=403)
    made = cloud.call("POST", "/v3/types", body, expect=200).json()["volume_type"]
    cloud.call("POST", "/v3/types", body, expect=409)
    path = f"/v3/types/{made['id']}"
    cloud.call("POST", f"{path}/extra_specs", {"extra_specs": {"a": "b"}}, expect=200)
    assert cloud.call("GET", f"{path}/extra_specs/a").json() == {"a": "b"}
    neighbour.call("GET", path, expect=404)
    neighbour.call("POST", "/v3/volumes", {"volume": {"size": 1, "volume_type": name}}, expect=404)
    access = {"addProjectAccess": {"project": neighbour.project}}
    cloud.call("POST", f"{path}/action", access, expect=202)
    volume = neighbour.volume(volume_type=name)
    assert neighbour.show("volume", volume)["volume_type"] == name
    cloud.call("DELETE", path, expect=400)
    default = cloud.call("GET", "/v3/types/default").json()["volume_type"]["id"]
    cloud.call("DELETE", f"/v3/types/{default}", expect=400)
    cloud.act(volume, "os-retype", {"new_type": default, "migration_policy": "never"}, expect=202)
    assert neighbour.show("volume", volume)["volume_type"] == "default"
    cloud.call("DELETE", path, expect=202)


def test_microversions_are_held_to(cloud: Cloud) -> None:
    answer = cloud.call("GET", "/v3/volumes", version="3.27", expect=200)
    assert answer.headers["openstack-api-version"] == "volume 3.27"
    assert answer.headers["vary"] == "OpenStack-API-Version"
    newest = cloud.call("GET", "/v3/volumes", version="latest", expect=200)
    assert newest.headers["openstack-api-version"] == "volume 3.66"
    for version in ("3.67", "2.0", "4.0"):
        refused = cloud.call("GET", "/v3/volumes", version=version, expect=406)
        assert refused.json()["computeFault"]["message"] == (
            f"Version {version} is not supported by the API. Minimum is 3.0 and maximum is 3.66."
        )
    cloud.call("GET", "/v3/volumes", version="abc", expect=400)
    other = {"openstack-api-version": "compute 2.90, volume 3.5"}
    several = cloud.call("GET", "/v3/volumes", headers=other, expect=200)
    assert several.headers["openstack-api-version"] == "volume 3.5"


def test_paths_that_are_not_served_are_a_page_of_html(cloud: Cloud) -> None:
    for method, path in (
        ("GET", "/v3/nope"),
        ("PATCH", "/v3/volumes"),
        ("GET", "/v5/nope"),
        ("GET", "/v3/a/b/c"),
    ):
        answer = cloud.call(method, path, expect=404)
        assert "text/html" in answer.headers["content-type"]
    assert cloud.call("GET", "/sddc/v1/nope").headers["content-type"] == "application/json"


def test_every_answer_has_its_requests_id(cloud: Cloud) -> None:
    for answer in (cloud.call("GET", "/v3/volumes"), cloud.call("GET", "/v3/volumes/nope")):
        assert answer.headers["x-openstack-request-id"].startswith("req-")
        assert answer.headers["x-compute-request-id"] == answer.headers["x-openstack-request-id"]


def test_administrators_see_services_and_pools_and_no_backup_service(cloud: Cloud, member: Cloud) -> None:
    services = cloud.call("GET", "/v3/os-services", expect=200).json()["services"]
    assert {each["binary"] for each in services} == {"cinder-volume", "cinder-scheduler"}
    assert cloud.call("GET", "/v3/scheduler-stats/get_pools?detail=true", expect=200).json()["pools"]
    member.call("GET", "/v3/os-services", expect=403)
    zones = member.call("GET", "/v3/os-availability-zone", expect=200).json()
    assert zones["availabilityZoneInfo"] == [{"zoneName": "nova", "zoneState": {"available": True}}]
