"""Policies, volumes and snapshots over HTTP, on real qcow2 files, and what is refused there."""

import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from running_server import Client, RunningServer, running_server

UNKNOWN = 10**9


@pytest.fixture(scope="session")
def policy(admin: Client) -> int:
    """The policy that the first start makes."""
    [found] = admin.get("/bs-policies?q=spec.name:default").json()["items"]
    return int(admin.settled("bs-policies", found["metadata"]["id"])["metadata"]["id"])


@pytest.fixture
def volume(admin: Client, policy: int, unique: Callable[[str], str]) -> int:
    return int(admin.create("bs-volumes", name=unique("disk"), bs_policy_id=policy, size_mb=4)["spec"]["id"])


@pytest.fixture
def snap(admin: Client, volume: int) -> int:
    return int(admin.create("bs-snaps", name="moment", bs_volume_id=volume)["spec"]["id"])


def act(client: Client, path: str, **spec: object) -> dict[str, Any]:
    answer = client.post(path, json={"spec": spec})
    assert answer.status_code == 202, answer.text
    return answer.json()


def problem(client: Client, method: str, path: str, **spec: object) -> tuple[int, str, str]:
    """The status of what was refused, the field that it names, and what it says."""
    body = {"json": {"spec": spec}} if method in ("POST", "PATCH") else {}
    answer = client.request(method, path, **body)
    found = answer.json()
    return answer.status_code, found["details"].get("field", ""), found["message"]


def tree(client: Client, volume: int) -> dict[str, Any]:
    answer = client.get(f"/bs-volumes/{volume}/tree")
    assert answer.status_code == 200, answer.text
    return answer.json()


def file_of(server: RunningServer, client: Client, volume: int) -> Path:
    [head] = [
        node["id"]
        for node in tree(client, volume)["nodes"]
        if {"resource_type": "bs_volume", "id": volume}.items() <= (node["names"] or [{}])[0].items()
    ]
    return server.directory / "data" / "layers" / f"{head}.qcow2"


def io(file: Path, command: str) -> None:
    """Let QEMU read or write the file, once no merge in the background has it locked any more."""
    program = ["qemu-io", "-f", "qcow2", "-c", command, str(file)]

    def done() -> bool:
        ended = subprocess.run(program, capture_output=True, text=True)
        said = ended.stdout + ended.stderr
        if "Is another process using the image" in said:
            return False
        assert ended.returncode == 0, said
        assert "failed" not in said, said
        return True

    wait_for(done)


def test_a_disk_lives_through_snapshots_branches_clones_and_deletions_with_the_right_bytes(
    shared_server: RunningServer, admin: Client, volume: int, snap: int
) -> None:
    def write(id: int, letter: str) -> None:
        io(file_of(shared_server, admin, id), f"write -P {ord(letter)} 0 64k")

    def reads(id: int, letter: str) -> None:
        io(file_of(shared_server, admin, id), f"read -P {ord(letter) if letter else 0} 0 64k")

    write(volume, "A")
    second = admin.create("bs-snaps", name="second", bs_volume_id=volume)["spec"]["id"]
    write(volume, "B")
    reads(volume, "B")
    act(admin, f"/bs-volumes/{volume}/:rollback", bs_snap_id=second)
    admin.settled("bs-volumes", volume)
    reads(volume, "A")
    copy = act(admin, "/bs-volumes/:clone", name="copy", bs_snap_id=second, flatten=False)["spec"]["id"]
    admin.settled("bs-volumes", copy)
    write(copy, "C")
    act(admin, f"/bs-volumes/{volume}/:rollback", bs_snap_id=snap)
    admin.settled("bs-volumes", volume)
    reads(volume, "")
    for id in (second, snap):
        assert admin.delete(f"/bs-snaps/{id}").status_code == 202
        admin.gone("bs-snaps", id)
    reads(copy, "C")
    act(admin, f"/bs-volumes/{copy}/:flatten")
    assert admin.settled("bs-volumes", copy)["status"]["flattened"] is True
    reads(copy, "C")
    reads(volume, "")
    for id in (volume, copy):
        assert admin.delete(f"/bs-volumes/{id}").status_code == 202
        admin.gone("bs-volumes", id)


def test_a_new_volume_is_answered_at_once_and_active_soon(
    admin: Client, policy: int, unique: Callable[[str], str]
) -> None:
    spec = {"name": unique("disk"), "bs_policy_id": policy, "size_mb": 1024**2, "creator": "zstack"}
    asked = act(admin, "/bs-volumes/", **spec)
    assert asked["metadata"]["state"]["state"] == "creating"
    assert (asked["spec"]["loaded"], asked["spec"]["flattened"]) == (False, True)
    found = admin.settled("bs-volumes", asked["spec"]["id"])
    assert found["status"]["size_mb"] == 1024**2
    assert found["status"]["allocated_size_byte"] < 2**20
    assert found["spec"]["creator"] == "zstack"
    admin.delete(f"/bs-volumes/{found['spec']['id']}")


def test_a_rollback_shows_as_reconciling_or_is_over_already(admin: Client, volume: int, snap: int) -> None:
    asked = act(admin, f"/bs-volumes/{volume}/:rollback", bs_snap_id=snap)
    assert asked["metadata"]["state"] == {
        "state": "reconciling",
        "diff_fields": {"irreconcilable": [], "reconciling": ["rollback_num"]},
    }
    assert admin.settled("bs-volumes", volume)["status"]["rollback_num"] == 1


def test_a_snapshot_tells_of_its_clones_and_can_be_deleted_before_them(
    admin: Client, volume: int, snap: int
) -> None:
    copy = act(admin, "/bs-volumes/:clone", name="copy", bs_snap_id=snap, flatten=False)["spec"]["id"]
    assert admin.settled("bs-volumes", copy)["spec"]["bs_snap_id"] == snap
    assert admin.delete(f"/bs-snaps/{snap}").status_code == 202
    admin.gone("bs-snaps", snap)
    nodes = tree(admin, copy)["nodes"]
    assert [node["hidden"] for node in nodes] == [True, False, False]
    assert {name["id"] for node in nodes for name in node["names"]} == {volume, copy}


def test_a_project_tells_how_much_storage_its_volumes_have(
    admin: Client, policy: int, shared_server: RunningServer, unique: Callable[[str], str]
) -> None:
    project = int(admin.create("projects", name=unique("project"), description="")["spec"]["id"])

    def used() -> int:
        return admin.get(f"/projects/{project}").json()["status"]["used_storage_mb"]

    def becomes(expected: int) -> None:
        deadline = time.monotonic() + 10
        while used() != expected:
            assert time.monotonic() < deadline, used()
            time.sleep(0.02)

    with closing(shared_server.client()) as inside:
        token = inside.post("/tokens/:reauth-in-project", json={"spec": {"project_id": project}})
        assert token.status_code == 201, token.text
        inside.headers["x-sddc-token"] = token.json()["uuid"]
        volume = int(inside.create("bs-volumes", name="v", bs_policy_id=policy, size_mb=4)["spec"]["id"])
        becomes(4)
        assert inside.patch(f"/bs-volumes/{volume}", json={"spec": {"size_mb": 9}}).status_code == 202
        becomes(9)
        inside.settled("bs-volumes", volume)
        assert inside.delete(f"/bs-volumes/{volume}").status_code == 202
        becomes(0)


def test_the_tree_adds_up(admin: Client, volume: int, snap: int) -> None:
    found = tree(admin, volume)
    assert found["virtual_byte"] == 4 * 2**20
    assert found["allocated_byte"] == sum(node["allocated_byte"] for node in found["nodes"])
    assert found["allocated_byte"] == sum(
        found[part] for part in ("exclusive_byte", "shared_byte", "reclaimable_byte")
    )


def test_the_summary_has_every_policy(admin: Client, policy: int, volume: int) -> None:
    [item] = [item for item in admin.get("/bs-policies/summary").json()["items"] if item["id"] == policy]
    assert item["name"] == "default"
    assert item["total_byte"] > 0
    assert set(item) == {"id", "name", "total_byte", "used_byte", "allocated_byte", "bs_volume_num"}


def test_the_releases_can_be_searched(admin: Client) -> None:
    found = admin.get("/os-releases/?q=spec.distribution:debian&sort=spec.version:asc").json()["items"]
    assert [item["spec"]["version"] for item in found] == ["11", "12", "12", "13"]
    assert admin.get(f"/os-releases/{found[0]['spec']['id']}").json()["spec"]["type"] == "linux"
    assert admin.post("/os-releases/", json={"spec": {"name": "mine"}}).status_code == 405


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"size_mb": 0}, "spec.size_mb"),
        ({"size_mb": -1}, "spec.size_mb"),
        ({"size_mb": 64 * 2**20 + 1}, "spec.size_mb"),
        ({"size_mb": "4"}, "spec.size_mb"),
        ({"name": ""}, "spec.name"),
        ({"name": "a\x00b"}, "spec.name"),
        ({"name": "x" * 256}, "spec.name"),
        ({"bs_policy_id": UNKNOWN}, "spec.bs_policy_id"),
        ({"bs_policy_id": 0}, "spec.bs_policy_id"),
        ({"max_total_iops": 1}, "spec.max_total_iops"),
        ({"max_total_bw_bps": 2**60}, "spec.max_total_bw_bps"),
        ({"serial": "mine"}, "spec.serial"),
    ],
)
def test_a_volume_that_cannot_be_is_refused_by_the_field(
    admin: Client, policy: int, wrong: dict[str, object], field: str
) -> None:
    spec = {"name": "disk", "bs_policy_id": policy, "size_mb": 1, **wrong}
    status, named, _ = problem(admin, "POST", "/bs-volumes/", **spec)
    assert (status, named) == (400, field)


def test_a_volume_only_grows(admin: Client, volume: int) -> None:
    status, field, message = problem(admin, "PATCH", f"/bs-volumes/{volume}", size_mb=3)
    assert (status, field) == (400, "spec.size_mb")
    assert "4 MiB" in message
    assert admin.patch(f"/bs-volumes/{volume}", json={"spec": {"size_mb": 6}}).status_code == 202
    assert admin.settled("bs-volumes", volume)["status"]["size_mb"] == 6


def test_what_stands_in_the_way_is_named(admin: Client, policy: int, volume: int, snap: int) -> None:
    assert problem(admin, "DELETE", f"/bs-volumes/{volume}")[0] == 409
    assert "moment" in problem(admin, "DELETE", f"/bs-volumes/{volume}")[2]
    assert problem(admin, "DELETE", f"/bs-policies/{policy}")[0] == 409


def test_a_rollback_takes_a_snapshot_of_the_same_volume(
    admin: Client, policy: int, snap: int, unique: Callable[[str], str]
) -> None:
    other = admin.create("bs-volumes", name=unique("disk"), bs_policy_id=policy, size_mb=1)["spec"]["id"]
    for id in (snap, UNKNOWN):
        status, field, _ = problem(admin, "POST", f"/bs-volumes/{other}/:rollback", bs_snap_id=id)
        assert (status, field) == (400, "spec.bs_snap_id")
    assert problem(admin, "POST", f"/bs-volumes/{other}/:rollback")[:2] == (400, "spec.bs_snap_id")
    assert problem(admin, "POST", f"/bs-volumes/{UNKNOWN}/:rollback", bs_snap_id=snap)[0] == 404


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/b", "..", "-rf", "$(id)", "x.qcow2"])
def test_a_name_is_never_a_path(
    shared_server: RunningServer, admin: Client, policy: int, name: str, unique: Callable[[str], str]
) -> None:
    volume = admin.create("bs-volumes", name=unique(name), bs_policy_id=policy, size_mb=1)["spec"]["id"]
    moment = admin.create("bs-snaps", name=name, bs_volume_id=volume)
    image = admin.create("vm-images", name=unique(name), bs_snap_id=moment["spec"]["id"])
    assert moment["spec"]["name"] == name
    sent = admin.get(f"/vm-images/{image['metadata']['id']}/download").headers["content-disposition"]
    assert "/" not in sent.split("filename", 1)[-1].split(";")[0]
    kept = shared_server.directory / "data" / "layers"
    assert all(path.parent == kept and "passwd" not in path.name for path in kept.rglob("*"))


@pytest.mark.parametrize("missing", ["name", "bs_snap_id", "flatten"])
def test_a_clone_needs_a_name_a_snapshot_and_a_word_about_flattening(
    admin: Client, snap: int, missing: str
) -> None:
    spec = {"name": "copy", "bs_snap_id": snap, "flatten": False}
    del spec[missing]
    assert problem(admin, "POST", "/bs-volumes/:clone", **spec)[:2] == (400, f"spec.{missing}")
    status, field, _ = problem(
        admin, "POST", "/bs-volumes/:clone", name="x", bs_snap_id=UNKNOWN, flatten=True
    )
    assert (status, field) == (400, "spec.bs_snap_id")


@pytest.mark.parametrize(
    "place",
    [
        "/etc",
        "layers",
        "/nonexistent",
        "{layers}/../..",
        "{layers}/nothing",
        "{layers}/link",
        "{layers}/\x00",
    ],
)
def test_a_policy_keeps_its_disks_only_where_the_settings_allow(
    shared_server: RunningServer, admin: Client, place: str
) -> None:
    layers = shared_server.directory / "data" / "layers"
    link = layers / "link"
    if not link.is_symlink():
        link.symlink_to("/tmp")
    try:
        status, field, _ = problem(
            admin, "POST", "/bs-policies/", name="sly", place=place.format(layers=layers)
        )
    finally:
        link.unlink()
    assert (status, field) == (400, "spec.place")


def test_policies_in_folders_of_their_own_do_not_see_each_others_disks(
    shared_server: RunningServer, admin: Client, unique: Callable[[str], str]
) -> None:
    folder = shared_server.directory / "data" / "layers" / unique("gold")
    folder.mkdir()
    policy = admin.create("bs-policies", name=folder.name, place=str(folder))["spec"]["id"]
    volume = admin.create("bs-volumes", name="disk", bs_policy_id=policy, size_mb=1)["spec"]["id"]
    assert len(list(folder.glob("*.qcow2"))) == 1
    assert problem(admin, "POST", "/bs-policies/", name=folder.name)[0] == 409, "the name is taken"
    admin.delete(f"/bs-volumes/{volume}")
    admin.gone("bs-volumes", volume)
    assert admin.delete(f"/bs-policies/{policy}").status_code == 202
    admin.gone("bs-policies", policy)


def test_a_directory_that_vanishes_is_an_explained_state_and_heals(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, closing(server.client()) as client:
        [policy] = client.get("/bs-policies/").json()["items"]
        id = client.settled("bs-policies", policy["spec"]["id"])["spec"]["id"]
        volume = client.create("bs-volumes", name="disk", bs_policy_id=id, size_mb=1)["spec"]["id"]
        layers, away = tmp_path / "data" / "layers", tmp_path / "away"
        layers.rename(away)
        snap = act(client, "/bs-snaps/", name="moment", bs_volume_id=volume)["spec"]["id"]
        found = wait_for(lambda: client.get(f"/bs-snaps/{snap}").json()["status"].get("problem"))
        assert "not there, not mounted" in found
        events = client.get("/events/?q=event:bs_snap_stuck").json()["items"]
        assert [event["resource_id"] for event in events] == [snap]
        away.rename(layers)
        assert "problem" not in client.settled("bs-snaps", snap, 60)["status"]


def test_after_a_power_cut_everything_goes_on(tmp_path: Path) -> None:
    with running_server(tmp_path) as server, closing(server.client()) as client:
        password = server.password
        policy = client.get("/bs-policies/").json()["items"][0]["spec"]["id"]
        volume = client.create("bs-volumes", name="disk", bs_policy_id=policy, size_mb=1)["spec"]["id"]
        io(file_of(server, client, volume), "write -P 65 0 64k")
        snap = act(client, "/bs-snaps/", name="moment", bs_volume_id=volume)["spec"]["id"]
        copy = act(client, "/bs-volumes/:clone", name="copy", bs_snap_id=snap, flatten=True)["spec"]["id"]
        server.kill()
    with running_server(tmp_path) as server, closing(server.client(password=password)) as client:
        client.settled("bs-snaps", snap)
        assert client.settled("bs-volumes", copy)["status"]["flattened"] is True
        io(file_of(server, client, copy), "read -P 65 0 64k")


def wait_for(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return result
