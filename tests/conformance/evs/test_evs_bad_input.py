"""What must be refused, each once: limits of names, sizes, metadata and counts, wrong tokens, wrong states.

After each refusal there is as much as before: nothing half-made stays behind.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from evs_client import Cloud

pytestmark = pytest.mark.xdist_group("evs")

NEWEST = "3.66"
PAIRS = {f"k{number}": "v" for number in range(129)}


@pytest.fixture(scope="module")
def careful(cloud: Cloud) -> Iterator[Cloud]:
    """A member of a project that nobody else uses, so that what there is can be counted."""
    cloud.identity("POST", "/projects", {"project": {"name": "evs-careful"}}, expect=201)
    password = cloud.new_user("evs-careful", "evs-careful", "member")
    with Cloud(cloud.server, "evs-careful", password, "evs-careful") as client:
        yield client


@pytest.fixture(scope="module")
def volume(careful: Cloud) -> str:
    return careful.volume(name="of-bad-input", metadata={"k": "v"})


@pytest.fixture(scope="module")
def snapshot(careful: Cloud, volume: str) -> str:
    return careful.snapshot(volume)


def _there_is(cloud: Cloud) -> Any:
    """All that there is in the project, with all that it says."""
    shown = [
        cloud.call("GET", f"/v3/{what}/detail", version=NEWEST, expect=200).json()
        for what in ("volumes", "snapshots", "attachments", "volume-transfers", "groups")
    ]
    return [*shown, cloud.call("GET", "/v3/limits", expect=200).json()]


@contextmanager
def _nothing_changes(cloud: Cloud) -> Iterator[None]:
    before = _there_is(cloud)
    yield
    assert _there_is(cloud) == before


VOLUMES: list[tuple[Any, int]] = [
    ({"size": 0}, 400),
    ({"size": -1}, 400),
    ({"size": 1.5}, 400),
    ({"size": "1.5"}, 400),
    ({"size": "x"}, 400),
    ({"size": ""}, 400),
    ({"size": True}, 400),
    ({"size": [1]}, 400),
    ({"size": 2**31}, 400),
    ({"size": 2**80}, 400),
    ({}, 400),
    ({"size": 1, "name": "x" * 256}, 400),
    ({"size": 1, "name": "a\nb"}, 400),
    ({"size": 1, "name": "a\0b"}, 400),
    ({"size": 1, "name": 7}, 400),
    ({"size": 1, "description": "x" * 256}, 400),
    ({"size": 1, "description": "a\0b"}, 400),
    ({"size": 1, "metadata": {"": "v"}}, 400),
    ({"size": 1, "metadata": {"k" * 256: "v"}}, 400),
    ({"size": 1, "metadata": {"k": "v" * 256}}, 400),
    ({"size": 1, "metadata": {"k": None}}, 400),
    ({"size": 1, "metadata": {"k": {"deep": "er"}}}, 400),
    ({"size": 1, "metadata": [["k", "v"]]}, 400),
    ({"size": 1, "metadata": PAIRS}, 400),
    ({"size": 1, "volume_type": "no-such-type"}, 404),
    ({"size": 1, "volume_type": str(uuid4())}, 404),
    ({"size": 1, "snapshot_id": str(uuid4())}, 404),
    ({"size": 1, "snapshot_id": "no uuid"}, 404),
    ({"size": 1, "source_volid": str(uuid4())}, 404),
    ({"size": 1, "imageRef": str(uuid4())}, 404),
    ({"size": 1, "backup_id": str(uuid4())}, 404),
    ({"size": 1, "group_id": str(uuid4())}, 404),
    ({"size": 1, "availability_zone": "nowhere"}, 400),
    ({"size": 1, "multiattach": "perhaps"}, 400),
    ({"size": 1, "nonsense": 1}, 400),
]


@pytest.mark.parametrize(("change", "status"), VOLUMES)
def test_a_volume_that_cannot_be_is_not_made(careful: Cloud, change: Any, status: int) -> None:
    with _nothing_changes(careful):
        refused = careful.call("POST", "/v3/volumes", {"volume": change}, version=NEWEST, expect=status)
        [(name, told)] = refused.json().items()
        assert name == {400: "badRequest", 404: "itemNotFound"}[status]
        assert told["code"] == status
        assert told["message"]


DISKS: list[tuple[Any, str]] = [
    ({"count": 0}, "EVS.5400"),
    ({"count": -1}, "EVS.5400"),
    ({"count": 101}, "EVS.5400"),
    ({"name": "ü" * 128}, "EVS.1003"),
    ({"description": "ü" * 128}, "EVS.1004"),
    ({"size": 0}, "EVS.1010"),
    ({"size": None}, "EVS.1010"),
    ({"availability_zone": "nowhere"}, "EVS.1036"),
    ({"volume_type": "no-such-type"}, "EVS.1020"),
    ({"tags": {"k" * 256: "v"}}, ""),
    ({"tags": {"k": 1}}, ""),
    ({"iops": 100}, "EVS.5400"),
]


@pytest.mark.parametrize(("change", "code"), DISKS)
def test_disks_that_cannot_be_are_not_made_not_even_some_of_them(
    careful: Cloud, change: Any, code: str
) -> None:
    disk = {"size": 1, "availability_zone": "nova", "volume_type": "default", "count": 3, **change}
    with _nothing_changes(careful):
        refused = careful.call("POST", f"/v2.1/{careful.project}/cloudvolumes", {"volume": disk})
        assert refused.status_code in (400, 404), refused.text
        error = refused.json()["error"]
        assert error["code"].startswith(code or "EVS.")
        assert error["message"]


def test_a_token_of_clients_that_is_no_uuid_is_refused(careful: Cloud) -> None:
    body = {"volume": {"size": 1, "availability_zone": "nova", "volume_type": "default"}}
    with _nothing_changes(careful):
        path = f"/v2.1/{careful.project}/cloudvolumes"
        refused = careful.call("POST", path, body, headers={"x-client-token": "again"}, expect=400)
        assert refused.json()["error"]["code"] == "EVS.2218"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x" * 256},
        {"name": "a\x01b"},
        {"description": "x" * 256},
        {"metadata": {"": "v"}},
        {"metadata": {"k" * 256: "v"}},
        {"metadata": {"k": "v" * 256}},
        {"metadata": {"k": 1}},
        {"metadata": PAIRS},
        {"metadata": "k=v"},
        {"force": "perhaps"},
        {"force": []},
        {"volume_id": None},
        {"volume_id": 7},
        {"nonsense": True},
    ],
)
def test_a_snapshot_that_cannot_be_is_not_made(careful: Cloud, volume: str, change: Any) -> None:
    body = {"snapshot": {"volume_id": volume, **change}}
    with _nothing_changes(careful):
        careful.call("POST", "/v3/snapshots", body, version="3.65", expect=400)
        careful.call("POST", f"/v3/{careful.project}/snapshots", body, expect=400)
        careful.call("POST", f"/v2/{careful.project}/cloudsnapshots", body, expect=400)


@pytest.mark.parametrize("size", [1, 0, -1, "x", None, 1.5, 2**40, [], True])
def test_a_size_to_which_nothing_grows_is_refused(careful: Cloud, volume: str, size: Any) -> None:
    with _nothing_changes(careful):
        careful.act(volume, "os-extend", {"new_size": size}, expect=400)
        path = f"/v2.1/{careful.project}/cloudvolumes/{volume}/action"
        refused = careful.call("POST", path, {"os-extend": {"new_size": size}}, expect=400)
        assert refused.json()["error"]["code"] == "EVS.1015"


@pytest.mark.parametrize("what", ["volumes", "snapshots"])
@pytest.mark.parametrize(
    "pairs", [PAIRS, {"": "v"}, {"k": "v" * 256}, {"k" * 256: "v"}, {"k": 1}, {"a\nb": "v"}, [], None]
)
def test_metadata_that_cannot_be_kept_leaves_what_there_is(
    careful: Cloud, volume: str, snapshot: str, what: str, pairs: Any
) -> None:
    path = f"/v3/{what}/{volume if what == 'volumes' else snapshot}/metadata"
    with _nothing_changes(careful):
        for method in ("POST", "PUT"):
            careful.call(method, path, {"metadata": pairs}, expect=400)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"7", b"{", b'{"volume": []}', b"\xff\xfe"])
def test_a_body_that_says_nothing_is_a_400_wherever_one_is_needed(
    careful: Cloud, volume: str, snapshot: str, body: bytes
) -> None:
    """Cinder answers some of these with 500."""
    project = careful.project
    paths = [
        ("POST", "/v3/volumes"),
        ("POST", "/v3/snapshots"),
        ("POST", "/v3/volume-transfers"),
        ("POST", "/v3/attachments"),
        ("POST", "/v3/groups"),
        ("POST", "/v3/group_snapshots"),
        ("POST", "/v3/groups/action"),
        ("PUT", f"/v3/volumes/{volume}"),
        ("PUT", f"/v3/snapshots/{snapshot}"),
        ("POST", f"/v3/volumes/{volume}/action"),
        ("POST", f"/v3/volumes/{volume}/metadata"),
        ("PUT", f"/v3/volumes/{volume}/metadata/k"),
        ("POST", f"/v3/{project}/snapshots"),
        ("POST", f"/v2.1/{project}/cloudvolumes"),
        ("POST", f"/v2.1/{project}/cloudvolumes/{volume}/action"),
        ("PUT", f"/v2/{project}/cloudvolumes/{volume}"),
        ("POST", f"/v2/{project}/cloudvolumes/{volume}/tags/action"),
        ("POST", f"/v2/{project}/cloudsnapshots"),
        ("POST", f"/v2/{project}/cloudsnapshots/{snapshot}/rollback"),
        ("POST", f"/v5/{project}/snapshots"),
        ("POST", "/identity/v3/auth/tokens"),
    ]
    with _nothing_changes(careful):
        for method, path in paths:
            headers = {"openstack-api-version": f"volume {NEWEST}"}
            answer = careful.http.request(method, path, content=body, headers=headers)
            assert answer.status_code == 400, (method, path, answer.status_code, answer.text)
            assert answer.json()


def test_tokens_that_are_none_are_refused_everywhere(careful: Cloud, cloud: Cloud) -> None:
    revoked = careful.log_in("evs-careful").headers["x-subject-token"]
    subject = {"x-subject-token": revoked}
    careful.call("DELETE", "/identity/v3/auth/tokens", headers=subject, expect=204)
    for token in ("", "x", "0" * 32, "é" * 8, "x" * 5000, revoked, careful.token[:-1], careful.token + "0"):
        sent = {"x-auth-token": token.encode()}
        for path in ("/v3/volumes", f"/v2/{careful.project}/cloudvolumes/detail", "/identity/v3/projects"):
            answer = httpx.get(f"{careful.base}{path}", headers=sent)
            assert answer.status_code == 401, (token, path, answer.text)
    # a token that is good, but for another project
    for path in (f"/v3/{cloud.project}/volumes", f"/v2/{cloud.project}/cloudvolumes/detail"):
        refused = careful.call("GET", path, expect=400)
        assert refused.json()["error"]["code"] == "EVS.0001"


_SERVER = "11111111-2222-4333-8444-555555555555"
FORBIDDEN: dict[str, list[tuple[str, Any]]] = {
    "attaching": [("os-extend", {"new_size": 2}), ("os-reserve", None), ("os-begin_detaching", None)],
    "detaching": [("os-extend", {"new_size": 2}), ("os-reserve", None), ("os-begin_detaching", None)],
    "in-use": [("os-reserve", None), ("os-extend", {"new_size": 2})],
    "error": [
        ("os-extend", {"new_size": 2}),
        ("os-reserve", None),
        ("os-attach", {"instance_uuid": _SERVER, "mountpoint": "/dev/vdb"}),
    ],
    "deleting": [("os-extend", {"new_size": 2}), ("os-reserve", None), ("os-attach", {"host_name": "h"})],
    "maintenance": [("os-extend", {"new_size": 2}), ("os-reserve", None)],
}


@pytest.mark.parametrize("status", FORBIDDEN)
def test_a_volume_in_the_wrong_state_refuses_by_name_of_that_state(
    cloud: Cloud, careful: Cloud, status: str
) -> None:
    volume = careful.volume()
    cloud.act(volume, "os-reset_status", {"status": status}, expect=202)
    with _nothing_changes(careful):
        for action, arguments in FORBIDDEN[status]:
            refused = careful.act(volume, action, arguments, version="3.41", expect=400)
            assert status in refused.json()["badRequest"]["message"], (action, refused.text)
        if status != "in-use":
            for version in ("3.0", NEWEST):
                body = {"snapshot": {"volume_id": volume}}
                refused = careful.call("POST", "/v3/snapshots", body, version=version, expect=400)
                assert status in refused.text
        if status != "error":
            careful.call("DELETE", f"/v3/volumes/{volume}", expect=400)
        careful.call("POST", "/v3/volume-transfers", {"transfer": {"volume_id": volume}}, version="3.55")
    cloud.act(volume, "os-force_delete", {}, expect=202)
    careful.gone("volume", volume)


def test_what_exceeds_a_quota_is_a_413_in_the_originals_words(
    cloud: Cloud, careful: Cloud, volume: str, snapshot: str
) -> None:
    path = f"/v3/os-quota-sets/{careful.project}"
    used = cloud.call("GET", f"{path}?usage=True", expect=200).json()["quota_set"]
    volumes, snapshots = used["volumes"]["in_use"], used["snapshots"]["in_use"]
    limits = {"volumes": volumes, "snapshots": snapshots, "per_volume_gigabytes": 3}
    cloud.call("PUT", path, {"quota_set": limits}, expect=200)
    disk = {"size": 1, "availability_zone": "nova", "volume_type": "default", "count": 2}
    asked: list[Callable[[], httpx.Response]] = [
        lambda: careful.call("POST", "/v3/volumes", {"volume": {"size": 1}}),
        lambda: careful.call("POST", "/v3/volumes", {"volume": {"size": 1, "snapshot_id": snapshot}}),
        lambda: careful.call("POST", "/v3/volumes", {"volume": {"size": 1, "source_volid": volume}}),
        lambda: careful.call("POST", f"/v2.1/{careful.project}/cloudvolumes", {"volume": disk}),
        lambda: careful.call("POST", "/v3/snapshots", {"snapshot": {"volume_id": volume}}),
        lambda: careful.call("POST", f"/v5/{careful.project}/snapshots", {"snapshot": {"volume_id": volume}}),
        lambda: careful.act(volume, "os-extend", {"new_size": 4}),
    ]
    try:
        with _nothing_changes(careful):
            for ask in asked:
                refused = ask()
                assert refused.status_code == 413, refused.text
                assert refused.headers["retry-after"] == "0"
            over = asked[0]().json()["overLimit"]
            assert over == {
                "code": 413,
                "message": f"VolumeLimitExceeded: Maximum number of volumes allowed ({volumes}) exceeded.",
                "retryAfter": "0",
            }
            assert "SnapshotLimitExceeded" in asked[4]().text
            assert asked[3]().json()["error"]["code"] == "EVS.1034"
    finally:
        cloud.call("DELETE", path, expect=200)
