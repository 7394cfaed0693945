"""A server whose disks are in a real Ceph: images come in, volumes start from them, and bytes come out."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ceph import Cluster, ceph_pool, shared_ceph
from image_files import MIB, convert, raw_disk, sha256, whole_image
from running_server import Client, running_server

pytestmark = pytest.mark.xdist_group("ceph")


class Pool:
    """The pool, with bare librbd in it."""

    def __init__(self, ioctx: Any, name: str) -> None:
        import rbd

        self.ioctx = ioctx
        self.name = name
        self.rbd = rbd

    def image(self, name: str, content: bytes, snapshot: str | None = None) -> str:
        """An image of somebody else's. Returns its address."""
        self.rbd.RBD().create(self.ioctx, name, len(content), old_format=False)
        with self.rbd.Image(self.ioctx, name) as image:
            image.write(content, 0)
            if snapshot is not None:
                image.create_snap(snapshot)
        return f"{self.name}/{name}"

    def images(self) -> set[str]:
        return set(self.rbd.RBD().list(self.ioctx))


@pytest.fixture
def pool(shared_ceph: Cluster, ceph_pool: str) -> Iterator[Pool]:
    with shared_ceph.connected() as handle, contextlib.closing(handle.open_ioctx(ceph_pool)) as ioctx:
        yield Pool(ioctx, ceph_pool)


@pytest.fixture(scope="module")
def admin(shared_ceph: Cluster, ceph_pool: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    environment = {"STRATAL_STORAGE__CEPH_CONF": str(shared_ceph.conf)}
    with running_server(tmp_path_factory.mktemp("server"), environment=environment) as server:
        client = server.client()
        yield client
        client.close()


@pytest.fixture(scope="module")
def policy(admin: Client, ceph_pool: str) -> int:
    made = admin.create("bs-policies", name="ceph", driver="rbd", place=ceph_pool)
    assert made["status"]["pool_status"] == "healthy"
    return made["metadata"]["id"]


def content(client: Client, plural: str, id: int) -> bytes:
    """What a disk holds, as a download of an image of a snapshot of it."""
    if plural == "vm-images":
        return client.get(f"/vm-images/{id}/download").content
    snap = client.create("bs-snaps", name="moment", bs_volume_id=id)["metadata"]["id"]
    image = client.create("vm-images", name="shown", bs_snap_id=snap)["metadata"]["id"]
    found = client.get(f"/vm-images/{image}/download").content
    for each, which in (("vm-images", image), ("bs-snaps", snap)):
        assert client.delete(f"/{each}/{which}").status_code == 202
        client.gone(each, which)
    return found


def remove(client: Client, plural: str, id: int) -> None:
    assert client.delete(f"/{plural}/{id}").status_code == 202
    client.gone(plural, id)


def test_an_image_is_uploaded_converted_cloned_and_downloaded(
    admin: Client, policy: int, pool: Pool, tmp_path: Path
) -> None:
    disk = raw_disk(tmp_path / "disk.raw")
    file = convert(disk, "qcow2")
    image = whole_image(admin, file, format="qcow2", bs_policy_id=policy, checksum=sha256(file))
    assert admin.get(f"/vm-images/{image}/download").content == disk.read_bytes()
    as_qcow2 = tmp_path / "back.qcow2"
    as_qcow2.write_bytes(admin.get(f"/vm-images/{image}/download", params={"format": "qcow2"}).content)
    assert convert_back(as_qcow2) == disk.read_bytes()
    volume = admin.create("bs-volumes", name="disk", size_mb=12, bs_policy_id=policy, vm_image_id=image)
    id = volume["metadata"]["id"]
    assert not volume["status"]["flattened"]
    assert content(admin, "bs-volumes", id) == disk.read_bytes().ljust(12 * MIB, b"\0")
    remove(admin, "vm-images", image)
    assert content(admin, "bs-volumes", id) == disk.read_bytes().ljust(12 * MIB, b"\0")
    remove(admin, "bs-volumes", id)


def convert_back(file: Path) -> bytes:
    raw = file.with_suffix(".back")
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", file, raw], check=True)
    return raw.read_bytes()


@pytest.mark.parametrize("plural", ["vm-images", "bs-volumes"])
def test_an_rbd_image_is_copied_and_stays(
    admin: Client, policy: int, pool: Pool, tmp_path: Path, plural: str
) -> None:
    expected = raw_disk(tmp_path / "disk.raw", size_mb=4).read_bytes()
    address = pool.image(f"theirs-{plural}", expected, snapshot="moment")
    size = {"size_mb": 5} if plural == "bs-volumes" else {}
    wanted = expected.ljust(5 * MIB, b"\0") if size else expected
    for source in (address, f"{address}@moment"):
        made = admin.create(plural, name="copy", bs_policy_id=policy, rbd_image=source, **size)
        assert content(admin, plural, made["metadata"]["id"]) == wanted
        remove(admin, plural, made["metadata"]["id"])
    assert f"theirs-{plural}" in pool.images()


@pytest.mark.parametrize("plural", ["vm-images", "bs-volumes"])
def test_an_rbd_image_is_taken_over_and_is_gone_from_where_it_was(
    admin: Client, policy: int, pool: Pool, tmp_path: Path, plural: str
) -> None:
    expected = raw_disk(tmp_path / "disk.raw", size_mb=4).read_bytes()[: 4 * MIB - 512]
    address = pool.image(f"given-{plural}", expected)
    size = {"size_mb": 6} if plural == "bs-volumes" else {}
    made = admin.create(plural, name="mine", bs_policy_id=policy, rbd_image=address, in_place=True, **size)
    wanted = expected.ljust(6 * MIB, b"\0") if size else expected
    assert content(admin, plural, made["metadata"]["id"]) == wanted
    assert f"given-{plural}" not in pool.images()
    remove(admin, plural, made["metadata"]["id"])


def test_what_cannot_be_taken_in_is_refused_at_once_and_nothing_is_left(
    admin: Client, policy: int, pool: Pool
) -> None:
    snapped = pool.image("snapped", bytes(MIB), snapshot="moment")
    busy = pool.image("busy", bytes(MIB))
    before = {plural: admin.get(f"/{plural}/").json() for plural in ("vm-images", "bs-volumes")}
    with pool.rbd.Image(pool.ioctx, "busy") as image:
        image.write(b"x", 0)  # whoever writes holds the lock and is seen
        for spec, reason in (
            ({"rbd_image": f"{pool.name}/nothing"}, "no such image"),
            ({"rbd_image": "elsewhere/image"}, "only files and RBD images of pool"),
            ({"rbd_image": snapped, "in_place": True}, "it has snapshots"),
            ({"rbd_image": f"{snapped}@moment", "in_place": True}, "only RBD images"),
            ({"rbd_image": busy}, "open"),
            ({"rbd_image": f"{pool.name}/a:b"}, "rbd_image"),
            ({"rbd_image": snapped, "path": "/etc/passwd"}, "together"),
            ({"in_place": True}, "in_place"),
            ({"rbd_image": snapped, "format": "qcow2"}, "raw"),
        ):
            for plural in ("vm-images", "bs-volumes"):
                body = {"name": "i", "format": "raw", "bs_policy_id": policy, **spec}
                if plural == "bs-volumes":
                    body["size_mb"] = 4
                answer = admin.post(f"/{plural}/", json={"spec": body})
                assert answer.status_code in (400, 422), (answer.status_code, spec)
                assert reason in answer.text
    for plural, listed in before.items():
        assert admin.get(f"/{plural}/").json() == listed
