"""Virtual machines over HTTP: a life, the passwords of their consoles, and what is refused there."""

import base64
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from running_server import Client, RunningServer, running_server

pytestmark = pytest.mark.xdist_group("virtual machines")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    environment = {"STRATAL_SIMULATE": "true", "STRATAL_LOG__LEVEL": "debug"}
    with running_server(tmp_path_factory.mktemp("machines"), environment=environment) as made:
        yield made


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[Client]:
    with closing(server.client()) as made:
        yield made


@pytest.fixture(scope="module")
def policy(client: Client) -> int:
    return int(client.get("/bs-policies").json()["items"][0]["metadata"]["id"])


@pytest.fixture
def machine(client: Client, policy: int, unique: Callable[[str], str]) -> dict[str, Any]:
    disks = [{"size_mb": 1, "bs_policy_id": policy}]
    return client.create("virtual-machines", name=unique("vm"), memory_mb=64, vm_disks=disks)


def act(client: Client, path: str, **spec: object) -> dict[str, Any]:
    answer = client.post(path, json={"spec": spec})
    assert answer.status_code == 202, answer.text
    return answer.json()


def encrypted(client: Client, text: str) -> dict[str, str]:
    """The text as /rsa-keys lets one send it."""
    key = client.post("/rsa-keys/", json={"spec": {}}).json()
    public = load_pem_public_key(key["public_key"].encode())
    assert isinstance(public, rsa.RSAPublicKey)
    cipher = base64.b64encode(public.encrypt(text.encode(), padding.PKCS1v15())).decode()
    return {"cipher": cipher, "key": key["id"]}


def id_of(resource: dict[str, Any]) -> int:
    return int(resource["metadata"]["id"])


def test_a_machine_lives(client: Client, machine: dict[str, Any], policy: int) -> None:
    id = id_of(machine)
    path = f"/virtual-machines/{id}"
    assert machine["status"]["power_state"] == "stopped"
    act(client, f"{path}/:start")
    running = client.settled("virtual-machines", id)
    assert running["status"]["power_state"] == "running"
    changed = client.patch(path, json={"spec": {"memory_mb": 128}})
    assert changed.status_code == 202
    found = client.settled("virtual-machines", id)
    assert found["metadata"]["state"]["diff_fields"]["irreconcilable"] == ["memory_mb"]
    moment = client.create("vm-snaps", name="moment", vm_id=id)
    copy = act(
        client, "/virtual-machines/:clone", name="copy", vm_snap_id=id_of(moment), power_state="running"
    )
    assert client.settled("virtual-machines", id_of(copy))["status"]["power_state"] == "running"
    assert client.settled("vm-snaps", id_of(moment))["status"]["cloned_vm_num"] == 1
    act(client, f"{path}/:stop", force=True)
    client.settled("virtual-machines", id)
    act(client, f"{path}/:rollback", vm_snap_id=id_of(moment))
    assert client.settled("virtual-machines", id)["spec"]["rollback_num"] == 1
    disk = act(client, "/vm-disks/", name="data", vm_id=id, size_mb=2, bs_policy_id=policy, bus="scsi")
    assert client.settled("vm-disks", id_of(disk))["status"]["device"] == "sda"
    assert client.delete(f"/vm-snaps/{id_of(moment)}").status_code == 202
    client.gone("vm-snaps", id_of(moment))
    for gone in (id, id_of(copy)):
        assert client.delete(f"/virtual-machines/{gone}").status_code == 202
        client.gone("virtual-machines", gone)
    [job] = client.get("/vm-cleanup-jobs", params={"q": f"spec.vm_id:{id}"}).json()["items"]
    assert job["spec"]["reason"] == "delete"


def test_a_disk_of_a_running_guest_is_neither_rolled_back_nor_deleted(
    client: Client, machine: dict[str, Any]
) -> None:
    path = f"/virtual-machines/{id_of(machine)}"
    [disk] = client.get("/vm-disks", params={"q": f"spec.vm_id:{id_of(machine)}"}).json()["items"]
    volume = disk["spec"]["bs_volume_id"]
    moment = client.create("bs-snaps", name="moment", bs_volume_id=volume)
    act(client, f"{path}/:start")
    client.settled("virtual-machines", id_of(machine))
    before = client.get(f"/bs-volumes/{volume}").json()["spec"]
    answer = client.post(f"/bs-volumes/{volume}/:rollback", json={"spec": {"bs_snap_id": id_of(moment)}})
    assert answer.status_code == 409, answer.text
    assert answer.json()["details"]["remedy"]
    answer = client.delete(f"/bs-volumes/{volume}")
    assert answer.status_code == 409, answer.text
    after = client.get(f"/bs-volumes/{volume}").json()["spec"]
    assert {**after, "loaded": True} == {**before, "loaded": True}, "but for what tells that a guest has it"


def test_a_disc_is_put_in_and_taken_out(client: Client, machine: dict[str, Any]) -> None:
    drive = client.create("vm-cd-roms", name="drive", vm_id=id_of(machine))
    path = f"/vm-cd-roms/{id_of(drive)}"
    assert "vm_image_id" not in drive["spec"]
    empty = client.patch(path, json={"spec": {"vm_image_id": None}})
    assert empty.status_code == 202
    unknown = client.patch(path, json={"spec": {"vm_image_id": 10**9}})
    assert (unknown.status_code, unknown.json()["details"]["field"]) == (400, "spec.vm_image_id")


def test_what_is_wrong_in_a_part_is_named_by_its_place(client: Client, policy: int) -> None:
    for part, field in (
        ({"vm_disks": [{"size_mb": 1, "bs_policy_id": policy}, {"size_mb": 1}]}, "vm_disks[1].bs_policy_id"),
        ({"vm_disks": [{"size_mb": 0}]}, "vm_disks[0].size_mb"),
        ({"vm_nics": [{"br_net_id": 10**9}]}, "vm_nics[0].br_net_id"),
        ({"cpu_num": 3, "socket_num": 2}, "cpu_num"),
    ):
        spec = {"name": "wrong", "memory_mb": 64, **part}
        answer = client.post("/virtual-machines/", json={"spec": spec})
        assert (answer.status_code, answer.json()["details"]["field"]) == (400, f"spec.{field}")
    assert client.get("/virtual-machines", params={"q": "spec.name:wrong"}).json()["items"] == []


def test_a_console_s_password_goes_in_and_never_comes_out(
    server: RunningServer, client: Client, unique: Callable[[str], str]
) -> None:
    secret = "s3same!"
    sent = encrypted(client, secret)
    asked = act(
        client,
        "/virtual-machines/",
        name=unique("vm"),
        memory_mb=64,
        graphics_auth_enabled=True,
        encrypted_graphics_password=sent["cipher"],
        rsa_key_id=sent["key"],
        power_state="running",
    )
    id = id_of(asked)
    path = f"/virtual-machines/{id}/:verify-gpasswd"
    client.settled("virtual-machines", id)

    def verify(**spec: str) -> httpx.Response:
        return client.post(path, json={"spec": spec})

    assert verify(password=secret).status_code == 200
    assert verify(password=secret).content == b""
    again = encrypted(client, secret)
    assert verify(encrypted_password=again["cipher"], rsa_key_id=again["key"]).status_code == 200
    refusals = [
        verify(password="another"),
        verify(encrypted_password="AAAA", rsa_key_id=again["key"]),
        verify(encrypted_password=again["cipher"], rsa_key_id="no key"),
    ]
    for refused in refusals:
        assert (refused.status_code, refused.json()["code"]) == (400, "wrong_password")
        assert refused.json()["message"] == refusals[0].json()["message"]
    assert verify().status_code == 400
    long = client.patch(f"/virtual-machines/{id}", json={"spec": {"graphics_password": secret + "-longer"}})
    assert long.status_code == 400
    assert "8 characters" in long.json()["message"]
    shown = [
        client.get(f"/virtual-machines/{id}").text,
        client.get("/virtual-machines").text,
        client.get("/audit-logs", params={"limit": 1000}).text,
        client.get("/events", params={"limit": 1000}).text,
        long.text,
        (server.directory / "log").read_text(),
    ]
    for text in shown:
        assert secret not in text
