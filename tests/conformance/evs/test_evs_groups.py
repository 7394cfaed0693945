"""Groups whose volumes are snapshotted at one moment, and QoS specs."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from evs_client import Cloud

pytestmark = pytest.mark.xdist_group("evs")

VERSION = "3.58"


@pytest.fixture
def group_type(cloud: Cloud, unique: Callable[[str], str]) -> str:
    body = {"group_type": {"name": unique("together")}}
    made = cloud.call("POST", "/v3/group_types", body, version=VERSION, expect=202)
    return made.json()["group_type"]["id"]


def _group(cloud: Cloud, group_type: str) -> str:
    body = {"group": {"group_type": group_type, "volume_types": ["default"], "name": "g"}}
    return cloud.call("POST", "/v3/groups", body, version=VERSION, expect=202).json()["group"]["id"]


def test_all_volumes_of_a_group_are_snapshotted_and_copied_together(cloud: Cloud, group_type: str) -> None:
    group = _group(cloud, group_type)
    inside = cloud.volume(group_id=group, name="a")
    joining = cloud.volume(name="b")
    change = {"group": {"add_volumes": joining}}
    cloud.call("PUT", f"/v3/groups/{group}", change, version=VERSION, expect=202)
    body = {"group_snapshot": {"group_id": group, "name": "moment"}}
    moment = cloud.call("POST", "/v3/group_snapshots", body, version=VERSION, expect=202)
    moment_id = moment.json()["group_snapshot"]["id"]
    found = cloud.call("GET", "/v3/snapshots/detail", version=VERSION).json()["snapshots"]
    parts = [each for each in found if each["group_snapshot_id"] == moment_id]
    assert {each["volume_id"] for each in parts} == {inside, joining}
    assert len({each["created_at"] for each in parts}) == 1
    for each in parts:
        cloud.settled("snapshot", each["id"])
        cloud.call("DELETE", f"/v3/snapshots/{each['id']}", expect=400)
    shown = cloud.call("GET", f"/v3/group_snapshots/{moment_id}", version=VERSION).json()
    assert shown["group_snapshot"]["status"] == "available"
    source = {"create-from-src": {"name": "copy", "group_snapshot_id": moment_id}}
    copy = cloud.call("POST", "/v3/groups/action", source, version=VERSION, expect=202).json()["group"]["id"]
    path = f"/v3/groups/{copy}?list_volume=True"
    copies = cloud.call("GET", path, version=VERSION, expect=200).json()["group"]["volumes"]
    assert len(copies) == 2
    for each in copies:
        cloud.settled("volume", each)
    end = {"delete": {"delete-volumes": True}}
    cloud.call("POST", f"/v3/groups/{group}/action", end, version=VERSION, expect=400)
    cloud.call("DELETE", f"/v3/group_snapshots/{moment_id}", version=VERSION, expect=202)
    for each in parts:
        cloud.gone("snapshot", each["id"])
    for each in (group, copy):
        cloud.call("POST", f"/v3/groups/{each}/action", end, version=VERSION, expect=202)
        cloud.call("GET", f"/v3/groups/{each}", version=VERSION, expect=404)
    for each in (inside, joining, *copies):
        cloud.gone("volume", each)


def test_one_volume_that_cannot_be_snapshotted_keeps_all_of_its_group_from_it(
    cloud: Cloud, group_type: str
) -> None:
    group = _group(cloud, group_type)
    volumes = [cloud.volume(group_id=group) for _ in range(2)]
    cloud.act(volumes[1], "os-reset_status", {"status": "error"}, expect=202)
    before = cloud.call("GET", "/v3/limits").json()
    body = {"group_snapshot": {"group_id": group}}
    cloud.call("POST", "/v3/group_snapshots", body, version=VERSION, expect=400)
    assert cloud.call("GET", "/v3/limits").json() == before


def test_groups_refuse_what_does_not_belong(cloud: Cloud, neighbour: Cloud, group_type: str) -> None:
    group = _group(cloud, group_type)
    neighbour.call("GET", f"/v3/groups/{group}", version=VERSION, expect=404)
    cloud.call("GET", f"/v3/groups/{group}", version="3.12", expect=404)
    empty = {"group_snapshot": {"group_id": group}}
    cloud.call("POST", "/v3/group_snapshots", empty, version=VERSION, expect=400)
    body = {"group": {"group_type": str(uuid4()), "volume_types": ["default"]}}
    cloud.call("POST", "/v3/groups", body, version=VERSION, expect=404)
    volume = cloud.volume(group_id=group)
    cloud.call("DELETE", f"/v3/volumes/{volume}", expect=400)
    leave = {"group": {"remove_volumes": volume}}
    cloud.call("PUT", f"/v3/groups/{group}", leave, version=VERSION, expect=202)
    cloud.call("PUT", f"/v3/groups/{group}", leave, version=VERSION, expect=400)
    cloud.call("DELETE", f"/v3/volumes/{volume}", expect=202)
    cloud.call("DELETE", f"/v3/group_types/{group_type}", version=VERSION, expect=400)


def test_qos_specs_are_kept_with_their_types(
    cloud: Cloud, member: Cloud, unique: Callable[[str], str]
) -> None:
    body = {"qos_specs": {"name": unique("qos"), "consumer": "back-end", "a": "1"}}
    member.call("POST", "/v3/qos-specs", body, expect=403)
    made = cloud.call("POST", "/v3/qos-specs", body, expect=200).json()["qos_specs"]
    assert made["specs"] == {"a": "1"}
    cloud.call("POST", "/v3/qos-specs", body, expect=409)
    path = f"/v3/qos-specs/{made['id']}"
    cloud.call("PUT", path, {"qos_specs": {"b": "2"}}, expect=200)
    cloud.call("PUT", f"{path}/delete_keys", {"keys": ["a"]}, expect=202)
    assert cloud.call("GET", path).json()["qos_specs"]["specs"] == {"b": "2"}
    type_ = cloud.call("POST", "/v3/types", {"volume_type": {"name": unique("fast")}}).json()["volume_type"][
        "id"
    ]
    cloud.call("GET", f"{path}/associate?vol_type_id={type_}", expect=202)
    assert cloud.call("GET", f"/v3/types/{type_}").json()["volume_type"]["qos_specs_id"] == made["id"]
    assert cloud.call("GET", f"{path}/associations").json()["qos_associations"][0]["id"] == type_
    cloud.call("DELETE", path, expect=400)
    cloud.call("DELETE", f"{path}?force=True", expect=202)
    cloud.call("GET", path, expect=404)
    assert cloud.call("GET", f"/v3/types/{type_}").json()["volume_type"]["qos_specs_id"] is None
