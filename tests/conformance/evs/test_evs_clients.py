"""The clients that this face is for, unchanged, against a running server with disks as qcow2 files."""

from pathlib import Path
from typing import Any

import pytest

from evs_client import Cloud
from evs_programs import openstack, run_program

pytestmark = pytest.mark.xdist_group("evs")


def _environment(cloud: Cloud) -> dict[str, str]:
    return {
        "AUTH_URL": f"{cloud.base}/identity/v3",
        "USERNAME": cloud.name,
        "PASSWORD": cloud.password,
        "PROJECT_NAME": cloud.project_name,
        "PROJECT_ID": cloud.project,
    }


def test_openstacksdk_runs_the_whole_life_of_volumes_and_snapshots(backed_cloud: Cloud, home: Path) -> None:
    told = run_program("openstack_sdk", home, **_environment(backed_cloud))
    missing = "00000000-0000-0000-0000-000000000000"
    assert told == {
        "found": True,
        "snapshot": ["sdk-s", {"x": "y"}, 1],
        "metadata": {"a": "b", "c": "d"},
        "size": 2,
        "copy": [True, 3],
        "reserved": "attaching",
        "bootable": True,
        "listed": ["sdk-2", "sdk-c"],
        "types": "default",
        "transfer": "awaiting-transfer",
        "limits": True,
        "quota": -1,
        "zones": ["nova"],
        "missing": f"Volume {missing} could not be found.",
    }


def test_cinderclient_runs_the_whole_life_of_volumes_and_snapshots(backed_cloud: Cloud, home: Path) -> None:
    told = run_program("cinder_client", home, **_environment(backed_cloud))
    assert told == {
        "3.0": [{"a": "b"}, 1, False],
        "refused 3.0": 400,
        "3.66": [{"a": "b"}, 1, True],
        "refused 3.66": 400,
        "pages": 3,
        "attachment": "reserved",
        "services": ["cinder-scheduler", "cinder-volume"],
        "pools": True,
        "quota": 100,
    }


def test_the_openstack_command_runs_the_whole_life_of_volumes_and_snapshots(
    backed_cloud: Cloud, home: Path
) -> None:
    environment = {
        f"OS_{name}": value for name, value in _environment(backed_cloud).items() if name != "PROJECT_ID"
    }
    environment |= {"OS_USER_DOMAIN_NAME": "Default", "OS_PROJECT_DOMAIN_NAME": "Default"}

    def run(*arguments: str) -> Any:
        return openstack(home, environment, *arguments)

    made = run("volume", "create", "--size", "1", "--property", "k=v", "osc", "-f", "json")
    backed_cloud.settled("volume", made["id"])
    snapshot = run("volume", "snapshot", "create", "--volume", "osc", "osc-s", "-f", "json")
    backed_cloud.settled("snapshot", snapshot["id"])
    [listed] = [each for each in run("volume", "list", "-f", "json") if each["Name"] == "osc"]
    assert (listed["Status"], listed["Size"]) == ("available", 1)
    shown = run("volume", "snapshot", "show", "osc-s", "-f", "json")
    assert (shown["status"], shown["volume_id"]) == ("available", made["id"])
    run("volume", "set", "--size", "2", "--name", "osc-2", "osc")
    backed_cloud.settled("volume", made["id"])
    assert run("volume", "show", "osc-2", "-f", "json")["size"] == 2
    run("volume", "snapshot", "delete", "osc-s")
    backed_cloud.gone("snapshot", snapshot["id"])
    run("volume", "delete", "osc-2")
    backed_cloud.gone("volume", made["id"])
    assert run("project", "list", "-f", "json")
    assert {each["Name"] for each in run("role", "list", "-f", "json")} >= {"admin", "member", "reader"}
    assert run("volume", "service", "list", "-f", "json")
    assert run("catalog", "list", "-f", "json")


def test_huaweis_sdk_runs_the_whole_life_of_disks_and_snapshots(backed_cloud: Cloud, home: Path) -> None:
    access, secret = backed_cloud.access_key()
    told = run_program(
        "huawei_sdk", home, ENDPOINT=backed_cloud.base, PROJECT=backed_cloud.project, AK=access, SK=secret
    )
    assert told == {
        "same_ids_for_the_same_token": True,
        "job": "SUCCESS",
        "parts": 2,
        "paged": [2, 1],
        "snapshot": "available",
        "rolled_back": True,
        "size": 20,
        "renamed": "other",
        "standard": "standard",
        "counted": 2,
        "refused": [400, "EVS.1015"],
        "missing": [404, "EVS.5404"],
        "deleted": "SUCCESS",
        "gone": [404, "EVS.5404"],
    }
