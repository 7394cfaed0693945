"""Another project's ids, on every endpoint: the answer is that to ids of nothing, and nothing changes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from evs_client import Cloud
from stratal.faces.evs import ENDPOINTS
from stratal.faces.evs.call import Dialect, Endpoint
from stratal.faces.evs.volume.actions import ACTIONS

pytestmark = pytest.mark.xdist_group("evs")

NEWEST = "3.66"
_PART = re.compile(r"\{(\w+)\}")
#: whose answer is the same for all projects, and for none
SAYS_NOTHING = re.compile(r".*/os-quota-sets/\{id\}/defaults|.*/os-quota-class-sets/\{id\}")
#: the key is what opens a transfer to another project, as in the original; a wrong one is refused as one
OPENED_BY_A_KEY = re.compile(r".*transfer.*/accept")
#: what only administrators may do: members are refused before anybody looks for an id
ADMINISTRATION = {
    "bs_snap_admin",
    "bs_policy",
    "volume_qos",
    "volume_group_type",
    "volume_limits",
    "volume_default_type",
    "volume_service",
    "volume_pool",
}


@dataclass(frozen=True, kw_only=True)
class Possessions:
    """One of each, by the collection in whose paths its id stands."""

    ids: dict[str, str]

    @property
    def volume(self) -> str:
        return self.ids["volumes"]

    @property
    def snapshot(self) -> str:
        return self.ids["snapshots"]

    def of(self, path: str) -> str:
        collection = path.removeprefix("/image").split("/")[2]
        return self.ids[collection]


def _possessions(cloud: Cloud, unique: Callable[[str], str]) -> Possessions:
    volume = cloud.volume(name=unique("mine"), metadata={"k": "v"})
    snapshot = cloud.snapshot(volume, metadata={"k": "v"})
    attached, given, grouped = cloud.volume(), cloud.volume(), cloud.volume()

    def made(path: str, key: str, body: Any) -> str:
        answer = cloud.call("POST", path, {key: body}, version=NEWEST)
        assert answer.is_success, answer.text
        return answer.json()[key]["id"]

    attachment = {"volume_uuid": attached, "instance_uuid": str(uuid4())}
    group_type = made("/v3/group_types", "group_type", {"name": unique("together"), "is_public": False})
    group = made("/v3/groups", "group", {"group_type": group_type, "volume_types": ["default"]})
    joins = {"group": {"add_volumes": grouped}}
    cloud.call("PUT", f"/v3/groups/{group}", joins, version=NEWEST, expect=202)
    type_ = {"name": unique("private"), "os-volume-type-access:is_public": False}
    tags = {"action": "create", "tags": [{"key": "k", "value": "v"}]}
    cloud.call("POST", f"/v2/{cloud.project}/cloudvolumes/{volume}/tags/action", tags, expect=204)
    disk = {"volume": {"size": 1, "availability_zone": "nova", "volume_type": "default"}}
    upload = cloud.act(volume, "os-volume_upload_image", {"image_name": unique("image")}, expect=202)
    moment = {"snapshot_group": {"volume_ids": [cloud.volume()]}}
    snapshot_group = cloud.call("POST", f"/v5/{cloud.project}/snapshot-groups", moment, expect=202).json()
    job = cloud.call("POST", f"/v2.1/{cloud.project}/cloudvolumes", disk, expect=202).json()["job_id"]
    transfer = made("/v3/volume-transfers", "transfer", {"volume_id": given})
    return Possessions(
        ids={
            **dict.fromkeys(("volumes", "cloudvolumes", "os-vendor-volumes"), volume),
            **dict.fromkeys(("snapshots", "cloudsnapshots", "os-vendor-snapshots"), snapshot),
            **dict.fromkeys(("os-volume-transfer", "volume-transfers"), transfer),
            "attachments": made("/v3/attachments", "attachment", attachment),
            "group_types": group_type,
            "groups": group,
            "group_snapshots": made("/v3/group_snapshots", "group_snapshot", {"group_id": group}),
            "types": made("/v3/types", "volume_type", type_),
            "qos-specs": made("/v3/qos-specs", "qos_specs", {"name": unique("qos")}),
            **dict.fromkeys(("os-quota-sets", "default-types"), cloud.project),
            **dict.fromkeys(("os-quota-class-sets", "extensions", "clusters", "capabilities"), "nobodys"),
            "os-vendor-tags": volume,
            "recycle-bin-volumes": _in_the_bin(cloud),
            "images": upload.json()["os-volume_upload_image"]["image_id"],
            "snapshot-groups": snapshot_group["snapshot_group_id"],
            "jobs": job,
        }
    )


def _in_the_bin(cloud: Cloud) -> str:
    """A disk that was deleted and is kept for a while."""
    policy = f"/v3/{cloud.project}/recycle-bin-volumes/policy"
    volume = cloud.volume()
    cloud.call("PUT", policy, {"switch": True, "threshold_time": 0, "keep_time": 3}, expect=200)
    try:
        cloud.call("DELETE", f"/v2/{cloud.project}/cloudvolumes/{volume}", expect=200)
    finally:
        cloud.call("PUT", policy, {"switch": False}, expect=200)
    return volume


@pytest.fixture(scope="module")
def theirs(cloud: Cloud) -> Possessions:
    """What another project has."""
    return _possessions(cloud, lambda name: f"{name}-{uuid4()}")


BODIES: dict[str, Any] = {
    "PUT volumes/{id}": {"volume": {"name": "mine"}},
    "POST volumes/{id}/metadata": {"metadata": {"a": "b"}},
    "PUT volumes/{id}/metadata": {"metadata": {"a": "b"}},
    "PUT volumes/{id}/metadata/{key}": {"meta": {"k": "w"}},
    "PUT snapshots/{id}": {"snapshot": {"name": "mine"}},
    "POST snapshots/{id}/metadata": {"metadata": {"a": "b"}},
    "PUT snapshots/{id}/metadata": {"metadata": {"a": "b"}},
    "PUT snapshots/{id}/metadata/{key}": {"meta": {"k": "w"}},
    "POST snapshots/{id}/action": {"os-reset_status": {"status": "error"}},
    "PUT attachments/{id}": {"attachment": {"connector": {"host": "h"}}},
    "POST attachments/{id}/action": {"os-complete": {}},
    "POST os-volume-transfer/{id}/accept": {"accept": {"auth_key": "0" * 32}},
    "POST volume-transfers/{id}/accept": {"accept": {"auth_key": "0" * 32}},
    "PUT groups/{id}": {"group": {"name": "mine"}},
    "POST groups/{id}/action": {"delete": {"delete-volumes": True}},
    "POST group_snapshots/{id}/action": {"reset_status": {"status": "error"}},
    "POST cloudvolumes/{id}/action": {"os-extend": {"new_size": 9}},
    "PUT cloudvolumes/{id}": {"volume": {"name": "mine"}},
    "POST cloudvolumes/{id}/tags/action": {"action": "create", "tags": [{"key": "a", "value": "b"}]},
    "POST os-vendor-volumes/{id}/tags/action": {"action": "create", "tags": [{"key": "a", "value": "b"}]},
    "POST volumes/{id}/retype": {"os-retype": {"new_type": "default"}},
    "PUT cloudsnapshots/{id}": {"snapshot": {"name": "mine"}},
    "PUT snapshot-groups/{id}": {"snapshot_group": {"name": "mine"}},
    "POST snapshot-groups/{id}/tags/create": {"tags": [{"key": "a", "value": "b"}]},
    "POST snapshot-groups/{id}/tags/delete": {"tags": [{"key": "a", "value": "b"}]},
    "POST os-vendor-tags/{resource_type}/{id}": {"tags": {"a": "b"}},
    "PUT os-vendor-tags/{resource_type}/{id}": {"tags": {"a": "b"}},
    "PUT os-vendor-tags/{resource_type}/{id}/{key}": {"tag": {"k": "w"}},
    "POST os-vendor-tags/{resource_type}/{id}/action": {
        "action": "create",
        "tags": [{"key": "a", "value": "b"}],
    },
    "POST recycle-bin-volumes/{id}/revert": {},
    "POST snapshots/{id}/tags/create": {"tags": [{"key": "a", "value": "b"}]},
    "POST snapshots/{id}/tags/delete": {"tags": [{"key": "a", "value": "b"}]},
}
ROLLBACKS = {
    f"POST {kind}/{{id}}/rollback" for kind in ("cloudsnapshots", "snapshots", "os-vendor-snapshots")
}
ARGUMENTS: dict[str, Any] = {
    "os-attach": {"instance_uuid": str(uuid4()), "mountpoint": "/dev/vdb"},
    "os-extend": {"new_size": 9},
    "os-retype": {"new_type": "default"},
    "os-set_bootable": {"bootable": True},
    "os-update_readonly_flag": {"readonly": True},
    "os-set_image_metadata": {"metadata": {"a": "b"}},
    "os-unset_image_metadata": {"key": "a"},
    "os-reset_status": {"status": "error"},
    "os-volume_upload_image": {"image_name": "mine"},
}


def _about_one() -> Iterator[Endpoint]:
    for endpoint in ENDPOINTS:
        about_one = "{id}" in endpoint.path and endpoint.dialect is not Dialect.KEYSTONE
        if about_one and "/messages/" not in endpoint.path:  # nobody can make one
            yield endpoint


def _url(endpoint: Endpoint, cloud: Cloud, id: str) -> str:
    parts = {"id": id, "key": "k", "resource_type": "volumes"}
    path = _PART.sub(lambda match: parts[match[1]], endpoint.path)
    if endpoint.documented or endpoint.dialect is Dialect.HUAWEI:
        _, version, rest = path.split("/", 2)
        path = f"/{version}/{cloud.project}/{rest}"
    return path


def _shown(cloud: Cloud, mine: Possessions) -> list[Any]:
    """All that there is to see of what somebody has."""
    collections = ("volumes", "snapshots", "attachments", "volume-transfers", "groups", "group_snapshots")
    paths = [f"/v3/{collection}/{mine.ids[collection]}" for collection in collections]
    paths += [f"/v2/{cloud.project}/cloudvolumes/{mine.volume}/tags"]
    return [cloud.call("GET", path, version=NEWEST, expect=200).json() for path in paths]


def _asked(cloud: Cloud, method: str, url: str, body: Any, id: str) -> tuple[int, str]:
    """The status and the text of an answer, without the id itself."""
    version = None if cloud.project in url else NEWEST
    answer = cloud.call(method, url, body, version=version)
    return answer.status_code, answer.text.replace(id, "ID").replace(id.replace("-", ""), "ID")


def test_foreign_ids_in_paths_are_answered_as_ids_of_nothing(
    cloud: Cloud, neighbour: Cloud, theirs: Possessions
) -> None:
    before = _shown(cloud, theirs)
    own = neighbour.volume()
    wrong: list[str] = []
    for endpoint in _about_one():
        if OPENED_BY_A_KEY.fullmatch(endpoint.path):
            continue
        tail = endpoint.path.split("/", 2)[2]
        name = f"{endpoint.method} {tail}"
        body = {"rollback": {"volume_id": own}} if name in ROLLBACKS else BODIES.get(name)
        bodies = [body, {}]
        if endpoint.actions is not None and tail == "volumes/{id}/action":
            bodies = [*_arguments_of_actions(neighbour), {}]
        for each in bodies:
            foreign, nothing = theirs.of(endpoint.path), str(uuid4())
            answers = [
                _asked(neighbour, endpoint.method, _url(endpoint, neighbour, id), each, id)
                for id in (foreign, nothing)
            ]
            allowed = {404, 403} if endpoint.kind in ADMINISTRATION or _is_administration(each) else {404}
            if SAYS_NOTHING.fullmatch(endpoint.path):
                allowed = {200, 403}
            if each == {}:  # what cannot be read tells no more of one than of the other
                allowed = allowed | {400, 403}
            if answers[0] != answers[1] or answers[0][0] not in allowed:
                wrong.append(f"{endpoint.method} {endpoint.path} {each}: {answers}")
    assert not wrong, "\n".join(wrong)
    assert _shown(cloud, theirs) == before
    neighbour.call("DELETE", f"/v3/volumes/{own}", expect=202)


def _arguments_of_actions(neighbour: Cloud) -> list[Any]:
    """Each action of volumes, with what it needs to be understood."""
    return [
        {name: {"snapshot_id": str(uuid4())} if name == "revert" else ARGUMENTS.get(name)} for name in ACTIONS
    ]


def _is_administration(body: Any) -> bool:
    names = {"os-reset_status", "os-force_delete", "os-force_detach", "reset_status"}
    return isinstance(body, dict) and bool(names & body.keys())


def test_foreign_ids_in_bodies_are_answered_as_ids_of_nothing(
    cloud: Cloud, neighbour: Cloud, theirs: Possessions
) -> None:
    before, own = _shown(cloud, theirs), neighbour.volume()
    own_snapshot, mine = neighbour.snapshot(own), neighbour.project
    used_before = neighbour.call("GET", "/v3/limits").json()["limits"]["absolute"]

    def asked(id: Callable[[str], str]) -> Iterator[tuple[str, str, Any, str]]:
        volume, snapshot = id("volumes"), id("snapshots")
        yield "POST", "/v3/snapshots", {"snapshot": {"volume_id": volume}}, volume
        yield "POST", f"/v3/{mine}/snapshots", {"snapshot": {"volume_id": volume}}, volume
        yield "POST", f"/v2/{mine}/cloudsnapshots", {"snapshot": {"volume_id": volume}}, volume
        yield "POST", f"/v5/{mine}/snapshots", {"snapshot": {"volume_id": volume}}, volume
        yield "POST", "/v3/volumes", {"volume": {"size": 1, "snapshot_id": snapshot}}, snapshot
        yield "POST", "/v3/volumes", {"volume": {"size": 1, "source_volid": volume}}, volume
        yield "POST", "/v3/volumes", {"volume": {"size": 1, "volume_type": id("types")}}, id("types")
        yield "POST", "/v3/volumes", {"volume": {"size": 1, "group_id": id("groups")}}, id("groups")
        disk = {"size": 1, "snapshot_id": snapshot, "availability_zone": "nova", "volume_type": "default"}
        yield "POST", f"/v2.1/{mine}/cloudvolumes", {"volume": disk}, snapshot
        attachment = {"volume_uuid": volume, "instance_uuid": str(uuid4())}
        yield "POST", "/v3/attachments", {"attachment": attachment}, volume
        yield "POST", "/v3/volume-transfers", {"transfer": {"volume_id": volume}}, volume
        yield "POST", "/v3/os-volume-transfer", {"transfer": {"volume_id": volume}}, volume
        yield "POST", "/v3/group_snapshots", {"group_snapshot": {"group_id": id("groups")}}, id("groups")
        source = {"create-from-src": {"group_snapshot_id": id("group_snapshots")}}
        yield "POST", "/v3/groups/action", source, id("group_snapshots")
        source = {"create-from-src": {"source_group_id": id("groups")}}
        yield "POST", "/v3/groups/action", source, id("groups")
        back = f"/v2/{mine}/cloudsnapshots/{own_snapshot}/rollback"
        yield "POST", back, {"rollback": {"volume_id": volume}}, volume
        yield "POST", f"/v3/volumes/{own}/action", {"revert": {"snapshot_id": snapshot}}, snapshot
        yield "POST", f"/v3/volumes/{own}/action", {"os-retype": {"new_type": id("types")}}, id("types")

    def unknown(_: str) -> str:
        return nothing

    nothing = str(uuid4())
    wrong: list[str] = []
    for foreign, vain in zip(asked(theirs.ids.__getitem__), asked(unknown), strict=True):
        answers = [_asked(neighbour, *each) for each in (foreign, vain)]
        if answers[0] != answers[1] or answers[0][0] != 404:
            wrong.append(f"{foreign}: {answers}")
    assert not wrong, "\n".join(wrong)
    assert _shown(cloud, theirs) == before
    assert neighbour.call("GET", "/v3/limits").json()["limits"]["absolute"] == used_before
    neighbour.call("DELETE", f"/v3/volumes/{own}?cascade=true", expect=202)
    neighbour.gone("volume", own)


def test_owners_find_their_own_by_the_same_requests(cloud: Cloud, theirs: Possessions) -> None:
    """So that the walks above are not refused because of how they ask."""
    wrong: list[str] = []
    for endpoint in _about_one():
        if endpoint.method == "GET" and endpoint.verb == "show" and theirs.of(endpoint.path) != "nobodys":
            url = _url(endpoint, cloud, theirs.of(endpoint.path))
            answer = cloud.call("GET", url, version=None if cloud.project in url else NEWEST)
            if not answer.is_success:
                wrong.append(f"{url}: {answer.status_code} {answer.text}")
    lacking = ("_specs/k", "/encryption/k", "/default-types/")  # what none of these has
    unmet = [each for each in wrong if not any(part in each for part in lacking)]
    assert not unmet, "\n".join(unmet)
