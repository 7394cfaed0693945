"""`PATCH /vm-snaps/{id}`, the one call that the reference documents in full, to the letter."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from running_server import Client, RunningServer, running_server

pytestmark = pytest.mark.xdist_group("vm-snaps")

DOCUMENTED: dict[str, Any] = json.loads((Path(__file__).parent / "vmsnap.json").read_text())
COUNTS = {"metadata": (9, 2), "spec": (27, 22), "status": (8, 4)}
PYTHON = {"integer": int, "boolean": bool, "array": list, "object": dict}
TYPE_OF = {name: type_ for type_, names in DOCUMENTED["types"].items() for name in names}
#: of a snapshot that is there and is not being deleted
ABSENT = {"deletion_begin", "deletion_finish"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    environment = {"STRATAL_SIMULATE": "true", "STRATAL_IDENTITY__ANONYMOUS_USER": ""}
    with running_server(tmp_path_factory.mktemp("snaps"), environment=environment) as made:
        yield made


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[Client]:
    with closing(server.client()) as made:
        yield made


@pytest.fixture
def snap(client: Client, unique: Callable[[str], str]) -> dict[str, Any]:
    """A snapshot of a machine with a disk."""
    policy = client.get("/bs-policies").json()["items"][0]["metadata"]["id"]
    disks = [{"size_mb": 1, "bs_policy_id": policy}]
    machine = client.create("virtual-machines", name=unique("vm"), memory_mb=64, vm_disks=disks)
    return client.create("vm-snaps", name="moment", vm_id=machine["metadata"]["id"])


def patch(client: httpx.Client, snap: dict[str, Any], body: object, **more: Any) -> httpx.Response:
    return client.patch(f"/vm-snaps/{snap['metadata']['id']}", json=body, **more)


def test_the_counts_are_those_of_the_document() -> None:
    for part, (total, required) in COUNTS.items():
        documented = DOCUMENTED[part]
        assert len(documented["required"]) == required
        assert len(documented["required"]) + len(documented["optional"]) == total


@pytest.mark.parametrize("part", list(COUNTS))
def test_the_answer_has_exactly_the_documented_fields(
    client: Client, snap: dict[str, Any], part: str
) -> None:
    answer = patch(client, snap, {"spec": {"name": "kept"}})
    assert answer.status_code == 202
    assert set(answer.json()) == {"metadata", "spec", "status"}
    found = answer.json()[part]
    documented = {*DOCUMENTED[part]["required"], *DOCUMENTED[part]["optional"]}
    assert set(found) == documented - ABSENT
    for name, value in found.items():
        type_ = TYPE_OF.get(name, "string")
        if type_ == "date-time":
            assert datetime.fromisoformat(value).tzinfo is not None, name
        else:
            assert type(value) is PYTHON.get(type_, str), name


def test_a_time_that_is_null_has_the_shape_of_go(client: Client, snap: dict[str, Any]) -> None:
    found = patch(client, snap, {}).json()
    null = {"Time": "0001-01-01T00:00:00Z", "Valid": False}
    assert found["spec"]["deleted_at"] == found["status"]["deleted_at"] == null


def test_ids_and_names_agree(client: Client, snap: dict[str, Any]) -> None:
    found = patch(client, snap, {"spec": {"name": "new"}}).json()
    assert found["metadata"]["name"] == found["spec"]["name"] == "new"
    assert found["metadata"]["id"] == found["spec"]["id"] == found["status"]["id"]
    assert found["metadata"]["project_id"] == found["spec"]["project_id"]
    assert set(found["metadata"]["state"]) == {"state", "diff_fields"}


@pytest.mark.parametrize("body", [{}, {"spec": {}}])
def test_nothing_may_be_said_and_nothing_changes(
    client: Client, snap: dict[str, Any], body: dict[str, Any]
) -> None:
    answer = patch(client, snap, body)
    assert answer.status_code == 202
    assert answer.json()["spec"] == snap["spec"]


def test_only_name_and_description_change(client: Client, snap: dict[str, Any]) -> None:
    found = patch(client, snap, {"spec": {"name": "new", "description": "words"}}).json()["spec"]
    changed = {name for name in found if found[name] != snap["spec"][name]}
    assert changed == {"name", "description", "etag", "updated_at"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"spec": {"memory_mb": 1}}, "spec.memory_mb"),
        ({"spec": {"vm_name": "x"}}, "spec.vm_name"),
        ({"spec": {"power_state": "running"}}, "spec.power_state"),
        ({"name": "x"}, "name"),
        ({"spec": {"name": ""}}, "spec.name"),
        ({"spec": {"name": "x" * 256}}, "spec.name"),
        ({"spec": {"name": 7}}, "spec.name"),
        ({"spec": {"name": None}}, "spec.name"),
        ({"spec": {"description": []}}, "spec.description"),
        ({"spec": None}, "spec"),
    ],
)
def test_what_is_not_to_be_changed_is_refused_by_the_field(
    client: Client, snap: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    answer = patch(client, snap, body)
    assert answer.status_code == 400
    assert answer.json()["details"]["field"] == field
    assert client.get(f"/vm-snaps/{snap['metadata']['id']}").json()["spec"] == snap["spec"]


def test_the_token_is_an_optional_header_and_whoever_has_none_is_nobody(
    server: RunningServer, snap: dict[str, Any]
) -> None:
    with Client(server.url) as bare:
        answer = patch(bare, snap, {})
        assert answer.status_code == 401
        assert patch(bare, snap, {}, headers={"x-sddc-token": "0" * 32}).status_code == 401


def test_a_snapshot_that_is_not_there_cannot_be_changed(client: Client) -> None:
    assert client.patch("/vm-snaps/987654321", json={}).status_code == 404
    assert client.patch("/vm-snaps/first", json={}).status_code == 400


def test_a_snapshot_that_is_going_or_gone_cannot_be_changed(client: Client, snap: dict[str, Any]) -> None:
    id = snap["metadata"]["id"]
    assert client.delete(f"/vm-snaps/{id}").status_code == 202
    assert patch(client, snap, {}).status_code in (404, 409)
    client.gone("vm-snaps", id)
    assert patch(client, snap, {}).status_code == 404


def test_whoever_has_an_old_etag_is_told(client: Client, snap: dict[str, Any]) -> None:
    patch(client, snap, {"spec": {"name": "newer"}})
    late = patch(client, snap, {"spec": {"name": "mine"}}, headers={"if-match": snap["spec"]["etag"]})
    assert late.status_code == 412


def test_the_memory_of_a_snapshot_is_told_beside_it_and_not_in_it(
    client: Client, unique: Callable[[str], str]
) -> None:
    policy = client.get("/bs-policies").json()["items"][0]["metadata"]["id"]
    disks = [{"size_mb": 1, "bs_policy_id": policy}]
    machine = client.create(
        "virtual-machines", name=unique("vm"), memory_mb=64, vm_disks=disks, power_state="running"
    )
    [disk] = client.get("/vm-disks/", params={"q": f"spec.vm_id:{machine['metadata']['id']}"}).json()["items"]
    client.settled("vm-disks", disk["metadata"]["id"])
    snap = client.create("vm-snaps", name="moment", vm_id=machine["metadata"]["id"], memory=True)
    path = f"/vm-snaps/{snap['metadata']['id']}"
    assert client.get(f"{path}/memory").json() == {"state": "kept", "size_byte": 64 << 20, "problem": None}
    for answer in (snap, client.get(path).json(), patch(client, snap, {"spec": {"name": "kept"}}).json()):
        for part in COUNTS:
            documented = {*DOCUMENTED[part]["required"], *DOCUMENTED[part]["optional"]}
            assert set(answer[part]) <= documented
    refused = client.post(
        "/vm-snaps/",
        json={"spec": {"name": "x", "vm_id": machine["metadata"]["id"], "memory": True, "quiesce": True}},
    )
    assert (refused.status_code, refused.json()["details"]["field"]) == (400, "spec.memory")
