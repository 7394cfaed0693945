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
