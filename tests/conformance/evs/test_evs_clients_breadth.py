"""What clients do beside the life of volumes and snapshots: images, groups, the bin, types, services."""

from pathlib import Path

import pytest

from evs_client import Cloud
from evs_programs import openstack, run_program

pytestmark = pytest.mark.xdist_group("evs")


def test_huaweis_sdk_has_snapshot_groups_the_bin_tags_and_speeds(backed_cloud: Cloud, home: Path) -> None:
    access, secret = backed_cloud.access_key()
    told = run_program(
        "huawei_sdk_more",
        home,
        ENDPOINT=backed_cloud.base,
        PROJECT=backed_cloud.project,
        AK=access,
        SK=secret,
    )
    assert told == {
        "repeated": True,
        "a second later": 200,
        "retried": [200, 200],
        "speed": [5000, 200],
        "groups": [True],
        "group_tags": [["a", ["b"]]],
        "group_count": 1,
        "chains": [[True, 1]],
        "resized": ["SUCCESS", 2, True],
        "speed_changed": "SUCCESS",
        "by_tags": [1, True],
        "policy": True,
        "binned": ["SUCCESS", 1, True],
        "back": "available",
    }


def test_openstacks_clients_have_images_groups_types_and_services(backed_cloud: Cloud, home: Path) -> None:
    told = run_program(
        "openstack_more",
        home,
        AUTH_URL=f"{backed_cloud.base}/identity/v3",
        USERNAME=backed_cloud.name,
        PASSWORD=backed_cloud.password,
        PROJECT_NAME=backed_cloud.project_name,
        PROJECT_ID=backed_cloud.project,
    )
    assert told == {
        "image": ["more-image", "qcow2", 1, True],
        "magic": "QFI",
        "bootable": True,
        "listed": [],
        "encryption": "luks",
        "default": True,
        "class": -1,
        "disabled": "disabled",
        "enabled": "enabled",
        "capabilities": "more-type",
        "messages": [],
        "filters": True,
        "clusters": [],
        "extensions": True,
        "specs": {"consistent_group_snapshot_enabled": "<is> True"},
        "moment": "error",
    }


def test_the_openstack_command_makes_volumes_of_images(backed_cloud: Cloud, home: Path) -> None:
    environment = {
        "OS_AUTH_URL": f"{backed_cloud.base}/identity/v3",
        "OS_USERNAME": backed_cloud.name,
        "OS_PASSWORD": backed_cloud.password,
        "OS_PROJECT_NAME": backed_cloud.project_name,
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
    }
    volume = backed_cloud.volume(name="for-osc")
    arguments = ("image", "create", "--volume", "for-osc", "osc-image", "-f", "json")
    made = openstack(home, environment, *arguments)
    assert made["image_name"] == "osc-image"
    [listed] = openstack(home, environment, "image", "list", "--name", "osc-image", "-f", "json")
    assert listed["Name"] == "osc-image"
    copy = openstack(
        home, environment, "volume", "create", "--image", "osc-image", "--size", "1", "osc-of", "-f", "json"
    )
    backed_cloud.settled("volume", copy["id"])
    assert backed_cloud.show("volume", copy["id"])["bootable"] == "true"
    assert backed_cloud.show("volume", volume)["status"] == "available"
