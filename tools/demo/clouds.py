"""A chapter about the second face: the same disks, for clients of Huawei Cloud and of OpenStack."""

import json
from typing import Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkevs import v2 as evs
from machines import DATA, PATTERN
from stage import Stage, console, prove, tell, waiting


def other_clients(stage: Stage) -> None:
    volume = stage.show("bs-volumes", _data_volume(stage))
    client = _huawei_client(stage)
    name = volume["spec"]["name"]
    [uuid] = [each.id for each in client.list_volumes(evs.ListVolumesRequest()).volumes if each.name == name]
    snapshot = client.create_snapshot(
        evs.CreateSnapshotRequest(
            body=evs.CreateSnapshotRequestBody(
                snapshot=evs.CreateSnapshotOption(volume_id=uuid, name="by-huawei", force=True)
            )
        )
    ).snapshot
    with waiting("the snapshot") as until:
        until(
            lambda: (
                client.show_snapshot(evs.ShowSnapshotRequest(snapshot_id=snapshot.id)).snapshot.status
                == "available"
            )
        )
    prove(True, f"huaweicloudsdkevs, signing with an access key, took snapshot {snapshot.id} of web's disk")
    [same] = stage.find("bs-snaps", "spec.name:by-huawei")
    prove(
        same["spec"]["bs_volume_id"] == volume["metadata"]["id"], "the NeutonOS face shows the same snapshot"
    )
    stage.ids["by-huawei"] = same["metadata"]["id"]
    environment = {
        "OS_AUTH_URL": f"{stage.address}/identity/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": stage.password,
        "OS_PROJECT_NAME": "default",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
    }
    words = ("volume", "create", "--snapshot", snapshot.id, "--size", "1", "from-openstack", "-f", "json")
    made = json.loads(stage.command("openstack", *words, **environment))
    [copy] = stage.find("bs-volumes", "spec.name:from-openstack")
    stage.settled("bs-volumes", int(copy["metadata"]["id"]))
    prove(made["name"] == "from-openstack", f"`openstack` made volume {made['id']} of it")
    disk = stage.create(
        "vm-disks",
        name="from-openstack",
        vm_id=stage.ids["web"],
        bs_volume_id=copy["metadata"]["id"],
        delete_volume_with_vm=True,
    )
    if stage.simulated:
        prove(True, "it is a disk of web now")
        return
    target = f"/dev/{stage.show('vm-disks', disk)['status']['device']}"
    tell(f"plugged into web as it runs: {target}")
    with stage.inside("web") as inside, console.status("  reading"):
        inside.rescan()
        found = inside.verify_pattern(target, 1, *PATTERN)
        own = inside.verify_pattern(DATA, 1, *PATTERN)
    prove(found.matches and own.matches, f"from inside web: {target} reads as {DATA} did then")


def _data_volume(stage: Stage) -> int:
    disks = stage.find("vm-disks", f"spec.vm_id:{stage.ids['web']}")
    return int(next(disk for disk in disks if disk["spec"]["name"] == "data")["spec"]["bs_volume_id"])


def _huawei_client(stage: Stage) -> Any:
    """Huawei's own client, with an access key that is made for it."""
    domain = {"domain": {"name": "Default"}}
    user = {"name": "admin", "password": stage.password, **domain}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "default", **domain}},
        }
    }
    answer = stage.http.post(f"{stage.address}/identity/v3/auth/tokens", json=body)
    token = answer.json()["token"]
    headers = {"x-auth-token": answer.headers["x-subject-token"]}
    wanted = {"credential": {"user_id": token["user"]["id"], "description": "demo"}}
    made = stage.http.post(
        f"{stage.address}/identity/v3.0/OS-CREDENTIAL/credentials", json=wanted, headers=headers
    )
    key, project = made.json()["credential"], token["project"]["id"]
    builder = evs.EvsClient.new_builder().with_endpoint(stage.address)
    credentials = BasicCredentials(key["access"], key["secret"], project)
    return builder.with_credentials(credentials).build()
