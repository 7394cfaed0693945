"""Disks that were there before, taken over as volumes, on a server that keeps disks as qcow2 files."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evs_client import Cloud
from running_server import running_server

pytestmark = pytest.mark.xdist_group("evs")


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("there-before")


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory, imports: Path) -> Iterator[Cloud]:
    settings = {"STRATAL_STORAGE__IMPORT_DIRECTORIES": str(imports)}
    with (
        running_server(tmp_path_factory.mktemp("manage"), environment=settings) as server,
        Cloud(server, "admin", server.password, "default") as cloud,
    ):
        yield cloud


def _host(cloud: Cloud) -> str:
    pools = cloud.call("GET", "/v3/scheduler-stats/get_pools", expect=200).json()["pools"]
    return next(each["name"] for each in pools if each["name"].endswith("#default"))


def _manage(cloud: Cloud, path: Path, *, expect: int, **fields: Any) -> Any:
    body = {"volume": {"host": _host(cloud), "ref": {"source-name": str(path)}, **fields}}
    return cloud.call("POST", "/v3/manageable_volumes", body, version="3.8", expect=expect).json()


@pytest.mark.parametrize("ending", ["qcow2", "raw"])
def test_a_file_becomes_a_volume_with_what_it_holds(owner: Cloud, imports: Path, ending: str) -> None:
    path = imports / f"old.{ending}"
    raw = imports.parent / "content.raw"
    raw.write_bytes(b"there before" + bytes(2**30 - 12))
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", ending, raw, path], check=True)
    host = _host(owner).replace("#", "%23")
    listed = owner.call("GET", f"/v3/manageable_volumes/detail?host={host}", version="3.8", expect=200)
    [found] = [
        each
        for each in listed.json()["manageable-volumes"]
        if each["reference"] == {"source-name": str(path)}
    ]
    assert (found["safe_to_manage"], found["extra_info"]) == (True, ending)
    made = _manage(owner, path, expect=202, name="old", metadata={"a": "b"}, bootable=True)["volume"]
    owner.settled("volume", made["id"])
    shown = owner.show("volume", made["id"])
    assert (shown["name"], shown["size"], shown["bootable"]) == ("old", 1, "true")
    assert shown["metadata"] == {"a": "b"}
    image = owner.act(made["id"], "os-volume_upload_image", {"image_name": "of-old"}, expect=202).json()
    id = image["os-volume_upload_image"]["image_id"]
    while owner.call("GET", f"/image/v2/images/{id}").json()["status"] != "active":
        pass
    with owner.http.stream("GET", f"/image/v2/images/{id}/file") as content:
        assert content.headers["content-length"] == str(2**30)
        assert next(content.iter_bytes()).startswith(b"there before")


def test_what_is_not_allowed_is_not_taken_over(owner: Cloud, imports: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.raw"
    outside.write_bytes(bytes(2**20))
    link = imports / "link.raw"
    link.symlink_to(outside)
    for path in (outside, link, imports / "none.raw", imports / ".." / "x.raw"):
        _manage(owner, path, expect=400)
    assert outside.exists()
    _manage(owner, Path("relative"), expect=400)
    body = {"volume": {"host": "nowhere", "ref": {"source-name": str(link)}}}
    owner.call("POST", "/v3/os-volume-manage", body, expect=404)
    password = owner.new_user("manage-member", "default", "member")
    with Cloud(owner.server, "manage-member", password, "default") as member:
        body = {"volume": {"host": _host(owner), "ref": {"source-name": str(link)}}}
        member.call("POST", "/v3/os-volume-manage", body, expect=403)
        member.call("GET", "/v3/os-volume-manage?host=x", expect=403)
