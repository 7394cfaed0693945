"""Volumes in virtual machines of this Stratal, attached and detached through the EVS face."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from evs_client import Cloud

pytestmark = pytest.mark.xdist_group("evs")


class Machine:
    """A virtual machine, as the NeutonOS face shows it."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.cloud = cloud
        self.headers = {"x-sddc-token": cloud.token}
        policies = self.ask("GET", "/bs-policies/").json()["items"]
        [policy] = [each["metadata"]["id"] for each in policies if each["spec"]["name"] == "default"]
        spec = {"name": name, "memory_mb": 64, "vm_disks": [{"size_mb": 1, "bs_policy_id": policy}]}
        made = self.ask("POST", "/virtual-machines/", {"spec": spec})
        assert made.status_code == 202, made.text
        self.id: int = made.json()["metadata"]["id"]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self.cloud.http.request(method, f"/sddc/v1{path}", json=body, headers=self.headers)

    def disks(self) -> list[dict[str, Any]]:
        return self.ask("GET", f"/vm-disks/?q=spec.vm_id:{self.id}").json()["items"]

    def act(self, action: str) -> None:
        answer = self.ask("POST", f"/virtual-machines/{self.id}/:{action}", {"spec": {}})
        assert answer.status_code == 202, answer.text

    def settled(self, power_state: str = "stopped") -> None:
        """Wait until it is what it is meant to be."""
        deadline = time.monotonic() + 20
        while True:
            found = self.ask("GET", f"/virtual-machines/{self.id}").json()
            if (
                found["metadata"]["state"]["state"] == "active"
                and found["status"]["power_state"] == power_state
            ):
                return
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def delete(self) -> None:
        self.ask("DELETE", f"/virtual-machines/{self.id}")


@pytest.fixture
def machine(member: Cloud, unique: Callable[[str], str]) -> Iterator[Machine]:
    made = Machine(member, unique("evs-machine"))
    yield made
    made.delete()


def _attachments(cloud: Cloud, volume: str) -> list[dict[str, Any]]:
    return cloud.show("volume", volume)["attachments"]


@pytest.mark.parametrize("running", [False, True])
def test_an_attachment_that_names_a_machine_is_a_disk_of_it(
    member: Cloud, machine: Machine, running: bool
) -> None:
    machine.settled()
    if running:
        machine.act("start")
        machine.settled("running")
    volume = member.volume(name="data")
    body = {"attachment": {"volume_uuid": volume, "instance_uuid": str(machine.id)}}
    made = member.call("POST", "/v3/attachments", body, version="3.54", expect=200).json()["attachment"]
    assert made["volume_id"] == volume
    member.settled("volume", volume, "in-use")
    root, disk = machine.disks()
    assert (disk["spec"]["name"], disk["spec"]["boot"]) == ("data", False)
    [shown] = _attachments(member, volume)
    assert (shown["attachment_id"], shown["server_id"]) == (made["id"], made["instance"])
    assert shown["device"] == "/dev/vdb"
    listed = member.call("GET", "/v3/attachments/detail", version="3.27", expect=200).json()["attachments"]
    ours = [each for each in listed if each["instance"] == made["instance"]]
    assert len(ours) == 2  # the root disk, which the other face made, and this one
    # the UUID that all of these show names the machine as well
    second = member.volume()
    body = {"attachment": {"volume_uuid": second, "instance_uuid": made["instance"]}}
    member.call("POST", "/v3/attachments", body, version="3.27", expect=200)
    member.settled("volume", second, "in-use")
    of_server = f"/v2/{member.project}/cloudvolumes/detail?server_id={made['instance']}"
    found = member.call("GET", of_server, expect=200).json()
    assert {volume, second} < {each["id"] for each in found["volumes"]}
    path = f"/v3/attachments/{made['id']}"
    member.call("POST", f"{path}/action", {"os-complete": None}, version="3.44", expect=204)
    member.call("DELETE", f"/v3/volumes/{volume}", expect=400)
    member.call("DELETE", path, version="3.27", expect=200)
    member.settled("volume", volume)
    assert _attachments(member, volume) == []
    member.call("GET", path, version="3.27", expect=404)
    assert machine.disks()[0]["spec"]["name"] == root["spec"]["name"]
    member.call("DELETE", f"/v3/volumes/{volume}", expect=202)
    member.gone("volume", volume)


def test_a_volume_is_attached_and_detached_by_its_actions(member: Cloud, machine: Machine) -> None:
    volume = member.volume()
    member.act(volume, "os-reserve", expect=202)
    arguments = {"instance_uuid": str(machine.id), "mountpoint": "/dev/vdf", "mode": "rw"}
    member.act(volume, "os-attach", arguments, expect=202)
    member.settled("volume", volume, "in-use")
    [shown] = _attachments(member, volume)
    assert shown["device"] == "/dev/vdf"
    member.act(volume, "os-begin_detaching", expect=202)
    assert member.show("volume", volume)["status"] == "detaching"
    member.act(volume, "os-detach", {"attachment_id": shown["attachment_id"]}, expect=202)
    member.settled("volume", volume)


def test_what_cannot_be_attached_to_a_machine_is_refused(
    member: Cloud, neighbour: Cloud, machine: Machine
) -> None:
    volume = member.volume()
    named = {"volume_uuid": volume, "instance_uuid": str(machine.id)}
    member.call(
        "POST", "/v3/attachments", {"attachment": {**named, "mode": "ro"}}, version="3.54", expect=400
    )
    member.act(volume, "os-update_readonly_flag", {"readonly": True}, expect=202)
    member.call("POST", "/v3/attachments", {"attachment": named}, version="3.54", expect=400)
    member.act(volume, "os-update_readonly_flag", {"readonly": False}, expect=202)
    before = len(machine.disks())
    # another project's machine is like one elsewhere: a record, and nothing that the machine would notice
    theirs = neighbour.volume()
    foreign = {"attachment": {"volume_uuid": theirs, "instance_uuid": str(machine.id)}}
    made = neighbour.call("POST", "/v3/attachments", foreign, version="3.27", expect=200).json()
    assert made["attachment"]["status"] == "reserved"
    neighbour.call("POST", "/v3/attachments", {"attachment": {**named}}, version="3.27", expect=404)
    member.call("POST", "/v3/attachments", {"attachment": named}, version="3.27", expect=200)
    member.call("POST", "/v3/attachments", {"attachment": named}, version="3.27", expect=400)
    assert len(machine.disks()) == before + 1


def test_all_disks_of_a_server_are_one_snapshot_group(member: Cloud, machine: Machine) -> None:
    machine.settled()
    volume = member.volume()
    body = {"attachment": {"volume_uuid": volume, "instance_uuid": str(machine.id)}}
    made = member.call("POST", "/v3/attachments", body, version="3.54", expect=200).json()["attachment"]
    member.settled("volume", volume, "in-use")
    machine.settled()
    wanted = {"snapshot_group": {"server_id": made["instance"], "name": "all"}}
    path = f"/v5/{member.project}/snapshot-groups"
    group = member.call("POST", path, wanted, expect=202).json()["snapshot_group_id"]
    found = member.call("GET", f"{path}/detail?server_id={made['instance']}", expect=200).json()
    assert [each["id"] for each in found["snapshot_groups"]] == [group]
    parts = member.call("GET", f"/v5/{member.project}/snapshots/detail?snapshot_group_id={group}").json()
    assert len(parts["snapshots"]) == len(machine.disks()) == 2
    unknown = {"snapshot_group": {"server_id": "00000000-0000-4000-8000-000000000000"}}
    member.call("POST", path, unknown, expect=404)
    for each in parts["snapshots"]:
        member.settled("snapshot", each["id"])
    member.call("DELETE", f"{path}/{group}", expect=202)


def test_a_machines_disk_goes_into_no_bin(member: Cloud, machine: Machine) -> None:
    volume = member.volume()
    policy = f"/v3/{member.project}/recycle-bin-volumes/policy"
    member.call("PUT", policy, {"switch": True, "threshold_time": 0}, expect=200)
    body = {"attachment": {"volume_uuid": volume, "instance_uuid": str(machine.id)}}
    try:
        member.call("POST", "/v3/attachments", body, version="3.54", expect=200)
        path = f"/v2/{member.project}/cloudvolumes/{volume}"
        # at once, and when the volume shows that it is in use
        member.call("DELETE", path, expect=400)
        member.settled("volume", volume, "in-use")
        member.call("DELETE", path, expect=400)
    finally:
        member.call("PUT", policy, {"switch": False}, expect=200)
