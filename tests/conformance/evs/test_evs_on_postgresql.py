"""What the face's statements do on PostgreSQL as well: statuses, lists, pages, limits, groups, jobs."""

from pathlib import Path

import pytest

from evs_client import Cloud
from running_server import running_server

pytestmark = pytest.mark.xdist_group("postgresql")


def test_the_life_of_volumes_is_the_same_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    settings = {"STRATAL_SIMULATE": "true"}
    with (
        running_server(tmp_path, database_url=postgres_url, environment=settings) as server,
        Cloud(server, "admin", server.password, "default") as cloud,
    ):
        volume = cloud.volume(name="pg", metadata={"k": "v"})
        snapshot = cloud.snapshot(volume, metadata={"a": "b"})
        cloud.act(volume, "revert", {"snapshot_id": snapshot}, version="3.40", expect=202)
        cloud.settled("volume", volume)
        cloud.act(volume, "os-extend", {"new_size": 2}, expect=202)
        cloud.settled("volume", volume)
        copy = cloud.volume(size=None, source_volid=volume)
        cloud.act(copy, "os-reserve", expect=202)
        query = "metadata={'k': 'v'}&status=available&bootable=false&size=2&created_at=gt:2020-01-01T00:00:00"
        listed = cloud.call("GET", f"/v3/volumes/detail?{query}", version="3.60", expect=200).json()
        assert [each["id"] for each in listed["volumes"]] == [volume]
        first = cloud.call("GET", "/v3/volumes?limit=1&sort=size:desc,name:asc", expect=200).json()
        [link] = first["volumes_links"]
        second = cloud.call("GET", link["href"], expect=200).json()["volumes"]
        assert {first["volumes"][0]["id"], second[0]["id"]} == {volume, copy}
        cloud.call("PUT", f"/v3/os-quota-sets/{cloud.project}", {"quota_set": {"volumes": 2}}, expect=200)
        cloud.call("POST", "/v3/volumes", {"volume": {"size": 1}}, expect=413)
        cloud.call("DELETE", f"/v3/os-quota-sets/{cloud.project}", expect=200)
        transfer = {"transfer": {"volume_id": volume}}
        cloud.call("POST", "/v3/volume-transfers", transfer, version="3.55", expect=202)
        assert cloud.show("volume", volume)["status"] == "awaiting-transfer"
        access, secret = cloud.access_key()
        assert access
        assert secret
        body = {"volume": {"availability_zone": "nova", "size": 1, "volume_type": "default", "count": 2}}
        made = cloud.call("POST", f"/v2.1/{cloud.project}/cloudvolumes", body, expect=202).json()
        for each in made["volume_ids"]:
            cloud.settled("volume", each)
        job = cloud.call("GET", f"/v1/{cloud.project}/jobs/{made['job_id']}", expect=200).json()
        assert job["status"] == "SUCCESS"
        cloud.identity("GET", "/role_assignments", expect=200)
        cloud.call("DELETE", f"/v3/snapshots/{snapshot}", expect=202)
        cloud.gone("snapshot", snapshot)


def test_moments_tags_the_bin_types_and_images_are_the_same_on_postgresql(
    tmp_path: Path, postgres_url: str
) -> None:
    settings = {"STRATAL_SIMULATE": "true"}
    with (
        running_server(tmp_path, database_url=postgres_url, environment=settings) as server,
        Cloud(server, "admin", server.password, "default") as cloud,
    ):
        v2, v5 = f"/v2/{cloud.project}", f"/v5/{cloud.project}"
        volumes = [cloud.volume() for _ in range(2)]
        group = {"snapshot_group": {"volume_ids": volumes, "tags": {"a": "b"}}}
        made = cloud.call("POST", f"{v5}/snapshot-groups", group, expect=202).json()["snapshot_group_id"]
        shown = cloud.call("GET", f"{v5}/snapshot-groups/{made}", expect=200).json()["snapshot_group"]
        assert shown["tags"] == {"a": "b"}
        parts = cloud.call("GET", f"{v5}/snapshots/detail?snapshot_group_id={made}").json()["snapshots"]
        for each in parts:
            cloud.settled("snapshot", each["id"])
        cloud.call("DELETE", f"{v5}/snapshot-groups/{made}", expect=202)
        for each in parts:
            cloud.gone("snapshot", each["id"])
        tags = {"action": "create", "tags": [{"key": "k", "value": "v"}]}
        cloud.call("POST", f"{v2}/cloudvolumes/{volumes[0]}/tags/action", tags, expect=204)
        for wanted in ({"key": "k", "values": ["v", "w"]}, {"key": "k", "values": []}):
            body = {"action": "filter", "tags": [wanted]}
            found = cloud.call("POST", f"{v2}/cloudvolumes/resource_instances/action", body, expect=200)
            assert [each["resource_id"] for each in found.json()["resources"]] == [volumes[0]]
        path = f"{v2}/os-vendor-tags/volumes/resource_instances?k=v"
        assert len(cloud.call("GET", path, expect=200).json()["resource_instances"]) == 1
        extend = {"volumes": [{"id": each, "new_size": 2} for each in volumes]}
        job = cloud.call("POST", f"{v5}/volumes/batch-extend", extend, expect=202).json()["job_id"]
        for each in volumes:
            cloud.settled("volume", each)
        told = cloud.call("GET", f"/v1/{cloud.project}/jobs/{job}", expect=200).json()
        assert (told["status"], len(told["entities"]["sub_jobs"])) == ("SUCCESS", 2)
        policy = {"switch": True, "threshold_time": 0, "keep_time": 1}
        bin = f"/v3/{cloud.project}/recycle-bin-volumes"
        cloud.call("PUT", f"{bin}/policy", policy, expect=200)
        cloud.call("DELETE", f"{v2}/cloudvolumes/{volumes[0]}", expect=200)
        assert cloud.call("GET", f"{bin}/detail", expect=200).json()["count"] == 1
        cloud.call("DELETE", f"{bin}/{volumes[0]}", expect=202)
        chosen = {"default_type": {"volume_type": "default"}}
        for _ in range(2):
            cloud.call("PUT", f"/v3/default-types/{cloud.project}", chosen, version="3.62", expect=200)
        cloud.call("PUT", "/v3/os-quota-class-sets/default", {"quota_class_set": {"groups": 3}}, expect=200)
        limits = cloud.call("GET", f"/v3/os-quota-sets/{cloud.project}", expect=200).json()["quota_set"]
        assert limits["groups"] == 3
        cloud.call("GET", "/v3/messages", version="3.3", expect=200)
        upload = {"image_name": "pg"}
        cloud.act(volumes[1], "os-volume_upload_image", upload, version="3.66", expect=202)
        assert [each["name"] for each in cloud.call("GET", "/image/v2/images").json()["images"]] == ["pg"]
        services = cloud.call("GET", "/v3/os-services", expect=200).json()["services"]
        host = {"host": services[0]["host"], "binary": "cinder-volume"}
        cloud.call("PUT", "/v3/os-services/disable", host, expect=200)
        cloud.call("PUT", "/v3/os-services/enable", host, expect=200)
        cloud.call("GET", "/v3/attachments/detail", version="3.27", expect=200)
