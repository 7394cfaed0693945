"""Snapshots as Huawei's document describes them, and as Block Storage has them, in one test each."""

import re
from collections.abc import Callable
from contextlib import closing
from uuid import uuid4

import pytest

from evs_client import Cloud

pytestmark = pytest.mark.xdist_group("evs")

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")


@pytest.fixture(scope="module")
def volume(cloud: Cloud) -> str:
    return cloud.volume(name="of-snapshots")


def _documented(cloud: Cloud) -> str:
    return f"/v3/{cloud.project}/snapshots"


def test_the_example_of_the_document_is_answered_as_in_the_document(cloud: Cloud, volume: str) -> None:
    request = {
        "snapshot": {
            "name": "snap-001",
            "description": "Daily backup",
            "volume_id": volume,
            "force": False,
            "metadata": {},
        }
    }
    answer = cloud.call("POST", _documented(cloud), request, expect=202)
    snapshot = answer.json()["snapshot"]
    assert set(snapshot) == {
        "status",
        "description",
        "created_at",
        "metadata",
        "volume_id",
        "size",
        "id",
        "name",
        "updated_at",
    }
    assert (snapshot["status"], snapshot["name"], snapshot["description"], snapshot["size"]) == (
        "creating",
        "snap-001",
        "Daily backup",
        1,
    )
    assert snapshot["volume_id"] == volume
    assert snapshot["metadata"] == {}
    assert _TIME.fullmatch(snapshot["created_at"])
    assert _TIME.fullmatch(snapshot["updated_at"])
    cloud.settled("snapshot", snapshot["id"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "x" * 65}, "EVS.1003"),
        ({"description": "x" * 86}, "EVS.1004"),
        ({"volume_id": None}, "EVS.1002"),
        ({"volume_id": 7}, "EVS.1002"),
        ({"metadata": {"k": 1}}, "EVS.5400"),
        ({"metadata": {"": "v"}}, "EVS.5400"),
        ({"metadata": {"k": "v" * 256}}, "EVS.5400"),
        ({"force": "perhaps"}, "EVS.5400"),
        ({"foo": 1}, "EVS.5400"),
    ],
)
def test_what_the_document_does_not_allow_is_a_400_with_a_code(
    cloud: Cloud, volume: str, change: dict[str, object], code: str
) -> None:
    before = cloud.call("GET", "/v3/limits").json()["limits"]["absolute"]["totalSnapshotsUsed"]
    answer = cloud.call("POST", _documented(cloud), {"snapshot": {"volume_id": volume, **change}}, expect=400)
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["message"]
    after = cloud.call("GET", "/v3/limits").json()["limits"]["absolute"]["totalSnapshotsUsed"]
    assert after == before


@pytest.mark.parametrize("length", [64, 1, 0])
def test_names_as_long_as_the_document_allows_are_taken(cloud: Cloud, volume: str, length: int) -> None:
    body = {"snapshot": {"volume_id": volume, "name": "ü" * length, "description": "ç" * 85}}
    made = cloud.call("POST", _documented(cloud), body, expect=202).json()["snapshot"]
    assert made["name"] == ("ü" * length or None)


def test_block_storage_takes_names_of_255_characters(cloud: Cloud, volume: str) -> None:
    body = {"snapshot": {"volume_id": volume, "name": "x" * 255}}
    assert cloud.call("POST", "/v3/snapshots", body, expect=202).json()["snapshot"]["updated_at"] is None
    body["snapshot"]["name"] += "x"
    answer = cloud.call("POST", "/v3/snapshots", body, expect=400)
    assert set(answer.json()) == {"badRequest"}


def test_metadata_of_a_servers_backup_is_kept(cloud: Cloud, volume: str) -> None:
    body = {"snapshot": {"volume_id": volume, "metadata": {"__system__enableActive": "true"}}}
    made = cloud.call("POST", _documented(cloud), body, expect=202).json()["snapshot"]
    assert made["metadata"] == {"__system__enableActive": "true"}


def test_snapshots_of_backups_cannot_be_operated_on_where_the_document_holds(
    cloud: Cloud, volume: str
) -> None:
    snapshot = cloud.snapshot(volume, name="autobk_snapshot_1")
    path = f"{_documented(cloud)}/{snapshot}"
    for method, body in (("DELETE", None), ("PUT", {"snapshot": {"name": "mine"}})):
        assert cloud.call(method, path, body, expect=400).json()["error"]["code"] == "EVS.2130"
    rollback = f"/v2/{cloud.project}/cloudsnapshots/{snapshot}/rollback"
    cloud.call("POST", rollback, {"rollback": {"volume_id": volume}}, expect=400)
    assert cloud.call("GET", path, expect=200).json()["snapshot"]["name"] == "autobk_snapshot_1"
    cloud.call("DELETE", f"/v3/snapshots/{snapshot}", expect=202)


def test_an_attaching_volume_is_snapshotted_by_force_only(cloud: Cloud) -> None:
    volume = cloud.volume()
    cloud.act(volume, "os-reserve", expect=202)
    body = {"snapshot": {"volume_id": volume, "force": False}}
    refused = cloud.call("POST", _documented(cloud), body, expect=400)
    assert "attaching" in refused.json()["error"]["message"]
    assert refused.json()["badRequest"]["code"] == 400
    body["snapshot"]["force"] = True
    cloud.call("POST", "/v3/snapshots", body, expect=400)
    cloud.call("POST", _documented(cloud), body, expect=202)


def test_force_follows_the_microversions(cloud: Cloud) -> None:
    volume = cloud.volume()
    cloud.act(volume, "os-attach", {"instance_uuid": str(uuid4()), "mountpoint": "/dev/vdb"}, expect=202)
    body = {"snapshot": {"volume_id": volume}}
    cloud.call("POST", "/v3/snapshots", body, version="3.65", expect=400)
    cloud.call("POST", "/v3/snapshots", body, version="3.66", expect=202)
    body["snapshot"]["force"] = True
    cloud.call("POST", "/v3/snapshots", body, version="3.0", expect=202)
    cloud.call("POST", "/v3/snapshots", body, version="3.66", expect=202)
    body["snapshot"]["force"] = False
    refused = cloud.call("POST", "/v3/snapshots", body, version="3.66", expect=400)
    assert "Since microversion 3.66" in refused.json()["badRequest"]["message"]


def test_a_snapshot_of_a_volume_that_is_not_there_is_a_404(cloud: Cloud) -> None:
    missing = str(uuid4())
    answer = cloud.call("POST", "/v3/snapshots", {"snapshot": {"volume_id": missing}}, expect=404)
    assert answer.json() == {
        "itemNotFound": {"code": 404, "message": f"Volume {missing} could not be found."}
    }


def test_another_projects_snapshots_are_not_there(cloud: Cloud, neighbour: Cloud, volume: str) -> None:
    snapshot = cloud.snapshot(volume)
    paths = [f"/v3/snapshots/{snapshot}", f"/v3/snapshots/{snapshot}/metadata"]
    for path in paths:
        neighbour.call("GET", path, expect=404)
    neighbour.call("DELETE", paths[0], expect=404)
    neighbour.call("PUT", paths[0], {"snapshot": {"name": "mine"}}, expect=404)
    neighbour.call("POST", "/v3/snapshots", {"snapshot": {"volume_id": volume}}, expect=404)
    listed = neighbour.call("GET", "/v3/snapshots/detail?all_tenants=1", expect=200).json()["snapshots"]
    assert snapshot not in [each["id"] for each in listed]


def test_a_snapshot_is_renamed_and_described(cloud: Cloud, volume: str) -> None:
    snapshot = cloud.snapshot(volume, name="before")
    changed = cloud.call(
        "PUT", f"/v3/snapshots/{snapshot}", {"snapshot": {"name": "after", "description": "d"}}, expect=200
    )
    assert changed.json()["snapshot"]["name"] == "after"
    assert cloud.show("snapshot", snapshot)["description"] == "d"
    assert cloud.show("snapshot", snapshot)["updated_at"] is not None
    cloud.call("PUT", f"/v3/snapshots/{snapshot}", {"snapshot": {"size": 2}}, expect=400)


def test_metadata_is_added_replaced_and_removed(cloud: Cloud, volume: str) -> None:
    path = f"/v3/snapshots/{cloud.snapshot(volume, metadata={'a': '1'})}/metadata"
    added = cloud.call("POST", path, {"metadata": {"b": "2"}}, expect=200)
    assert added.json() == {"metadata": {"a": "1", "b": "2"}}
    assert cloud.call("GET", f"{path}/b", expect=200).json() == {"meta": {"b": "2"}}
    cloud.call("PUT", f"{path}/b", {"meta": {"b": "3"}}, expect=200)
    cloud.call("PUT", f"{path}/b", {"meta": {"c": "3"}}, expect=400)
    cloud.call("DELETE", f"{path}/a", expect=200)
    cloud.call("DELETE", f"{path}/a", expect=404)
    assert cloud.call("GET", path, expect=200).json() == {"metadata": {"b": "3"}}
    replaced = cloud.call("PUT", path, {"metadata": {"z": "1"}}, expect=200)
    assert replaced.json() == {"metadata": {"z": "1"}}


def test_only_available_snapshots_and_those_in_error_are_deleted(cloud: Cloud, volume: str) -> None:
    snapshot = cloud.snapshot(volume)
    path = f"/v3/snapshots/{snapshot}"
    cloud.call("POST", f"{path}/action", {"os-reset_status": {"status": "creating"}}, expect=202)
    cloud.call("DELETE", path, expect=400)
    refused = cloud.call("DELETE", f"/v2/{cloud.project}/cloudsnapshots/{snapshot}", expect=400)
    assert refused.json()["error"]["code"] == "EVS.1047"
    cloud.call("POST", f"{path}/action", {"os-reset_status": {"status": "nope"}}, expect=400)
    cloud.call("POST", f"{path}/action", {"os-reset_status": {"status": "error"}}, expect=202)
    cloud.call("DELETE", path, expect=202)
    cloud.gone("snapshot", snapshot)


def test_an_administrator_deletes_by_force_and_nobody_else_does(
    cloud: Cloud, member: Cloud, volume: str
) -> None:
    snapshot = cloud.snapshot(volume)
    path = f"/v3/snapshots/{snapshot}/action"
    for action in ({"os-force_delete": {}}, {"os-reset_status": {"status": "error"}}):
        assert "forbidden" in member.call("POST", path, action, expect=403).json()
    cloud.call("POST", path, {"os-reset_status": {"status": "creating"}}, expect=202)
    cloud.call("POST", path, {"os-force_delete": {}}, expect=202)
    cloud.gone("snapshot", snapshot)


def test_lists_have_pages_filters_and_orders(cloud: Cloud, unique: Callable[[str], str]) -> None:
    volume = cloud.volume()
    names = [unique("listed") for _ in range(5)]
    ids = [cloud.snapshot(volume, name=name) for name in names]
    path = f"/v3/snapshots/detail?volume_id={volume}"
    newest_first = [each["id"] for each in cloud.call("GET", path).json()["snapshots"]]
    assert newest_first == ids[::-1]
    by_name = cloud.call("GET", f"{path}&sort=name:asc").json()["snapshots"]
    assert [each["name"] for each in by_name] == sorted(names)
    [one] = cloud.call("GET", f"/v3/snapshots?name={names[2]}").json()["snapshots"]
    assert one["id"] == ids[2]
    seen: list[str] = []
    url: str | None = f"{path}&limit=2&sort=name:asc"
    while url:
        answer = cloud.call("GET", url, expect=200).json()
        seen += [each["id"] for each in answer["snapshots"]]
        url = next((each["href"] for each in answer.get("snapshots_links", [])), None)
    assert seen == [each["id"] for each in by_name]
    counted = cloud.call("GET", f"{path}&with_count=true&limit=1", version="3.45").json()
    assert counted["count"] >= 5
    assert cloud.call("GET", f"{path}&status=error").json()["snapshots"] == []


def test_a_snapshot_made_here_is_the_same_on_the_neutonos_face_and_the_other_way_round(
    cloud: Cloud, unique: Callable[[str], str]
) -> None:
    volume = cloud.volume(name=unique("both"))
    mine = cloud.snapshot(volume, name=unique("here"))
    with closing(cloud.server.client()) as native:
        name = cloud.show("snapshot", mine)["name"]
        [found] = native.get("/bs-snaps/", params={"q": f'metadata.name:"{name}"'}).json()["items"]
        there = native.create("bs-snaps", name=unique("there"), bs_volume_id=found["spec"]["bs_volume_id"])
        listed = cloud.call("GET", f"/v3/snapshots/detail?volume_id={volume}").json()["snapshots"]
        assert {each["name"] for each in listed} == {name, there["metadata"]["name"]}
        cloud.call("DELETE", f"/v3/snapshots/{mine}", expect=202)
        native.gone("bs-snaps", found["metadata"]["id"])
