"""Files of the server that become images: by copy or in place, and only those that are meant to."""

import os
import socket
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from image_files import convert, raw_disk, reaches, sha256
from running_server import Client, RunningServer


@pytest.fixture
def disk(importable: Path, request: pytest.FixtureRequest) -> Path:
    directory = importable / str(abs(hash(request.node.name)))
    directory.mkdir()
    return raw_disk(directory / "disk.raw")


def test_a_file_is_copied_and_stays(admin: Client, disk: Path) -> None:
    file = convert(disk, "qcow2")
    before = file.read_bytes()
    image = admin.create(
        "vm-images", name="i", format="qcow2", path=str(file), checksum=sha256(file), size_byte=len(before)
    )
    assert image["status"]["upload_state"] == "finished"
    assert image["status"]["checksum"] == f"sha256:{sha256(file)}"
    id = image["metadata"]["id"]
    assert admin.get(f"/vm-images/{id}/download").content == disk.read_bytes()
    assert file.read_bytes() == before


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_a_file_is_taken_over_and_is_gone_from_where_it_was(admin: Client, disk: Path, format: str) -> None:
    expected = disk.read_bytes()
    file = disk if format == "raw" else convert(disk, format)
    image = admin.create("vm-images", name="i", format=format, path=str(file), in_place=True)
    id = image["metadata"]["id"]
    assert admin.get(f"/vm-images/{id}/download").content == expected
    assert not file.exists()


@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_a_file_becomes_a_volume_which_is_at_least_as_large(admin: Client, disk: Path, format: str) -> None:
    expected = disk.read_bytes()
    size_mb = len(expected) // 2**20
    policy = admin.get(f"/vm-images/{admin.create('vm-images', name='i', **copied(disk))['metadata']['id']}")
    spec = {"name": "v", "bs_policy_id": policy.json()["spec"]["bs_policy_id"], "format": format}
    file = disk if format == "raw" else convert(disk, format)
    for refused in (
        {"path": str(file), "size_mb": size_mb},
        {"path": str(file), "size_mb": size_mb - 1, "in_place": True},
        {"path": f"{file}.not", "size_mb": size_mb, "in_place": True},
        {"path": "/etc/hostname", "size_mb": size_mb, "in_place": True},
        {"size_mb": size_mb, "in_place": True},
    ):
        assert admin.post("/bs-volumes/", json={"spec": {**spec, **refused}}).status_code == 400, refused
    volume = admin.create("bs-volumes", **spec, path=str(file), size_mb=size_mb + 2, in_place=True)
    assert not file.exists()
    assert volume["status"]["size_mb"] == size_mb + 2
    snap = admin.create("bs-snaps", name="s", bs_volume_id=volume["metadata"]["id"])["metadata"]["id"]
    image = admin.create("vm-images", name="shown", bs_snap_id=snap)["metadata"]["id"]
    assert admin.get(f"/vm-images/{image}/download").content == expected + bytes(2 * 2**20)


def copied(disk: Path) -> dict[str, str]:
    return {"format": "raw", "path": str(disk)}


def test_a_file_in_use_is_refused_at_once(admin: Client, disk: Path) -> None:
    file = convert(disk, "qcow2")
    with subprocess.Popen(
        ["qemu-io", "-f", "qcow2", str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        reader.stdin.write(b"read 0 512\n")
        reader.stdin.flush()
        reader.stdout.readline()
        spec = {"name": "i", "format": "qcow2", "path": str(file), "in_place": True}
        answer = admin.post("/vm-images/", json={"spec": spec})
        assert answer.status_code == 400
        assert "has it open" in answer.text
        reader.stdin.close()
    assert file.exists()


def test_a_file_that_is_not_what_was_declared_is_refused(admin: Client, disk: Path) -> None:
    spec = {"name": "i", "format": "raw", "path": str(disk), "checksum": "0" * 64}
    id = admin.post("/vm-images/", json={"spec": spec}).json()["metadata"]["id"]
    assert "SHA-256" in reaches(admin, id, "failed")["problem"]
    spec = {"name": "i", "format": "raw", "path": str(disk), "size_byte": 512}
    id = admin.post("/vm-images/", json={"spec": spec}).json()["metadata"]["id"]
    assert "declared" in reaches(admin, id, "failed")["problem"]


def a_link(directory: Path, disk: Path) -> Path:
    path = directory / "link.raw"
    path.symlink_to(disk)
    return path


def below_a_link(directory: Path, disk: Path) -> Path:
    (directory / "linked").symlink_to(disk.parent)
    return directory / "linked" / disk.name


def a_link_out(directory: Path, disk: Path) -> Path:
    (directory / "out").symlink_to("/etc")
    return directory / "out" / "hostname"


def a_pipe(directory: Path, disk: Path) -> Path:
    os.mkfifo(directory / "pipe")
    return directory / "pipe"


def a_socket(directory: Path, disk: Path) -> Path:
    here = os.getcwd()
    os.chdir(directory)  # a socket's name is short
    try:
        with closing(socket.socket(socket.AF_UNIX)) as listening:
            listening.bind("socket")
    finally:
        os.chdir(here)
    return directory / "socket"


def a_directory(directory: Path, disk: Path) -> Path:
    return directory


def dots(directory: Path, disk: Path) -> Path:
    return Path(f"{directory}/../{directory.name}/{disk.name}")


def outside(directory: Path, disk: Path) -> Path:
    return Path("/etc/hostname")


def nothing(directory: Path, disk: Path) -> Path:
    return directory / "nothing.raw"


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(
    "trick",
    [a_link, below_a_link, a_link_out, a_pipe, a_socket, a_directory, dots, outside, nothing],
)
def test_a_path_that_leads_elsewhere_is_refused(
    admin: Client, disk: Path, trick: Callable[[Path, Path], Path], in_place: bool
) -> None:
    spec = {"name": "i", "format": "raw", "path": str(trick(disk.parent, disk)), "in_place": in_place}
    answer = admin.post("/vm-images/", json={"spec": spec})
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"]["field"] == "spec.path"
    assert disk.exists()


def itself(directory: Path) -> Path:
    path = directory / "itself.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "1M"], check=True)
    _hang_on(path, path)
    return path


def each_other(directory: Path) -> Path:
    one, other = directory / "one.qcow2", directory / "other.qcow2"
    for path in (one, other):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "1M"], check=True)
    _hang_on(one, other)
    _hang_on(other, one)
    return one


def _hang_on(path: Path, below: Path) -> None:
    command = ["qemu-img", "rebase", "-u", "-f", "qcow2", "-b", str(below), "-F", "qcow2", str(path)]
    subprocess.run(command, check=True)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("cycle", [itself, each_other])
def test_images_that_hang_on_each_other_in_a_circle_are_refused(
    admin: Client, disk: Path, cycle: Callable[[Path], Path], in_place: bool
) -> None:
    path = cycle(disk.parent)
    before = path.read_bytes()
    spec = {"name": "i", "format": "qcow2", "path": str(path), "in_place": in_place}
    answer = admin.post("/vm-images/", json={"spec": spec})
    if answer.status_code == 202:  # a copy is looked into when it is there
        image = reaches(admin, answer.json()["metadata"]["id"], "failed")
        assert "names a backing file" in image["problem"]
    else:
        assert answer.status_code == 400, answer.text
        assert "names a backing file" in answer.json()["message"]
        assert answer.json()["details"]["remedy"]
    assert path.read_bytes() == before


def test_what_the_server_holds_itself_is_not_taken_in_again(
    server: RunningServer, admin: Client, disk: Path
) -> None:
    image = admin.create("vm-images", name="i", format="raw", path=str(disk))
    spec = {"bs_policy_id": image["spec"]["bs_policy_id"], "size_mb": 8}
    volume = admin.create("bs-volumes", name="v", vm_image_id=image["metadata"]["id"], **spec)
    tree = admin.get(f"/bs-volumes/{volume['metadata']['id']}/tree").json()
    for node in tree["nodes"]:
        file = server.directory / "data" / "layers" / f"{node['id']}.qcow2"
        before = file.read_bytes()
        wanted = {"name": "i", "format": "qcow2", "path": str(file), "in_place": True}
        for plural, more in (("vm-images", {}), ("bs-volumes", spec)):
            answer = admin.post(f"/{plural}/", json={"spec": {**wanted, **more}})
            assert answer.status_code == 400, answer.text
            assert "a file of the place itself" in answer.json()["message"]
        assert file.read_bytes() == before


def test_a_device_is_refused_even_where_devices_are_allowed(admin: Client, importable: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    device = importable / "zero"
    os.mknod(device, 0o600 | 0o020000, os.makedev(1, 5))
    answer = admin.post("/vm-images/", json={"spec": {"name": "i", "format": "raw", "path": str(device)}})
    assert answer.status_code == 400


def test_only_system_administrators_import(server: RunningServer, admin: Client, disk: Path) -> None:
    roles = {role["spec"]["name"]: role["metadata"]["id"] for role in admin.get("/roles/").json()["items"]}
    user = admin.create("users", name="member", password="a long password", force_password_change=False)
    body = {"spec": {"user_id": user["metadata"]["id"], "role_id": roles["project_admin"]}}
    assert admin.post("/projects/1/:add-user", json=body).status_code == 202
    with closing(server.client("member", "a long password", project_id=1)) as member:
        spec = {"name": "i", "format": "raw", "path": str(disk)}
        assert member.post("/vm-images/", json={"spec": spec}).status_code == 403


def test_an_imported_image_takes_no_upload(admin: Client, disk: Path) -> None:
    image = admin.create("vm-images", name="i", format="raw", path=str(disk))
    answer = admin.post(f"/vm-images/{image['metadata']['id']}:upload", content=b"x")
    assert answer.status_code == 409
