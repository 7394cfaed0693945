"""Images over HTTP: uploads whole and in parts, what is refused, downloads, and volumes made of images."""

import hashlib
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from image_files import (
    MIB,
    OCTETS,
    convert,
    declare,
    iso,
    raw_disk,
    reaches,
    sha256,
    status_of,
    upload,
    upload_part,
    whole_image,
)
from running_server import Client, RunningServer
from stratal.storage.drivers.contract import LayerId
from stratal.storage.drivers.qcow2 import Qcow2Driver


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw_disk(tmp_path_factory.mktemp("disk") / "disk.raw")


@pytest.fixture
def neighbour(shared_server: RunningServer, admin: Client, unique: Callable[[str], str]) -> Iterator[Client]:
    """A member of a project of its own."""
    project = admin.create("projects", name=unique("project"))["metadata"]["id"]
    roles = {role["spec"]["name"]: role["metadata"]["id"] for role in admin.get("/roles/").json()["items"]}
    name = unique("neighbour")
    user = admin.create("users", name=name, password="a long password", force_password_change=False)
    body = {"spec": {"user_id": user["metadata"]["id"], "role_id": roles["project_member"]}}
    assert admin.post(f"/projects/{project}/:add-user", json=body).status_code == 202
    client = shared_server.client(name, "a long password", project_id=project)
    yield client
    client.close()


def layer_of(server: RunningServer, client: Client, volume_id: int) -> tuple[Qcow2Driver, LayerId]:
    nodes = client.get(f"/bs-volumes/{volume_id}/tree").json()["nodes"]
    [layer] = [
        node["id"]
        for node in nodes
        for name in node["names"]
        if (name["resource_type"], name.get("id")) == ("bs_volume", volume_id)
    ]
    return Qcow2Driver(server.directory / "data" / "layers"), LayerId(layer)


def content_of(server: RunningServer, client: Client, volume_id: int) -> bytes:
    driver, layer = layer_of(server, client, volume_id)
    with driver.open_reading(layer) as reader:
        return reader.read(0, reader.size_bytes)


# -- whole uploads -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("raw", ()),
        ("qcow2", ()),
        ("qcow2", ("compression_type=zstd",)),
        ("vmdk", ()),
        ("vmdk", ("subformat=streamOptimized",)),
        ("vhdx", ()),
    ],
)
def test_what_is_uploaded_in_any_format_is_downloaded_as_the_disk_that_is_in_it(
    admin: Client, disk: Path, tmp_path: Path, format: str, options: tuple[str, ...]
) -> None:
    copy = tmp_path / "disk.raw"
    copy.write_bytes(disk.read_bytes())
    file = copy if format == "raw" else convert(copy, format, *options)
    id = whole_image(
        admin, file, format=format, size_byte=file.stat().st_size, checksum=f"sha256:{sha256(file)}"
    )
    status = status_of(admin, id)
    assert status["upload_state"] == "finished"
    assert status["size_byte"] == 8 * MIB
    assert status["uploaded_byte"] == file.stat().st_size
    assert status["checksum"] == f"sha256:{sha256(file)}"
    assert admin.get(f"/vm-images/{id}/download").content == disk.read_bytes()


def test_an_iso_is_uploaded_and_downloaded_unchanged(admin: Client, tmp_path: Path) -> None:
    file = iso(tmp_path / "cd.iso")
    id = whole_image(admin, file, type="iso", format="iso")
    assert admin.get(f"/vm-images/{id}").json()["spec"]["type"] == "iso"
    assert admin.get(f"/vm-images/{id}/download").content == file.read_bytes()


def test_an_upload_needs_neither_a_declared_size_nor_a_checksum(admin: Client, disk: Path) -> None:
    id = whole_image(admin, disk)
    assert status_of(admin, id)["checksum"] == f"sha256:{sha256(disk)}"


def test_an_upload_without_a_content_length_is_taken_to_its_end(admin: Client, disk: Path) -> None:
    id = declare(admin, size_byte=disk.stat().st_size)
    data = disk.read_bytes()
    pieces = (data[at : at + 100_000] for at in range(0, len(data), 100_000))
    answer = admin.post(f"/vm-images/{id}:upload", content=pieces, headers=OCTETS)
    assert answer.status_code == 202
    reaches(admin, id, "finished")


def test_a_checksum_may_be_an_md5(admin: Client, disk: Path) -> None:
    whole_image(admin, disk, checksum=hashlib.md5(disk.read_bytes()).hexdigest())


def test_a_form_with_one_file_is_an_upload_as_well(admin: Client, disk: Path) -> None:
    id = declare(admin, size_byte=disk.stat().st_size)
    answer = admin.post(f"/vm-images/{id}:upload", files={"file": ("disk.raw", disk.read_bytes())})
    assert answer.status_code == 202, answer.text
    reaches(admin, id, "finished")
    assert admin.get(f"/vm-images/{id}/download").content == disk.read_bytes()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"x", "multipart/form-data", 415),
        (b"no form", "multipart/form-data; boundary=xyz", 400),
        (b"--xyz--\r\n", "multipart/form-data; boundary=xyz", 400),
        (b"", "application/octet-stream", 400),
    ],
)
def test_a_body_that_holds_no_image_is_refused(
    admin: Client, body: bytes, content_type: str, status: int
) -> None:
    id = declare(admin)
    headers = {"content-type": content_type}
    answer = admin.post(f"/vm-images/{id}:upload", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert status_of(admin, id)["upload_state"] == "waiting"


def test_a_form_with_two_files_is_refused(admin: Client) -> None:
    id = declare(admin)
    answer = admin.post(f"/vm-images/{id}:upload", files={"a": b"one", "b": b"two"})
    assert answer.status_code == 400
    assert "one file" in answer.json()["message"]


# -- in parts ------------------------------------------------------------------------------------------


def test_an_image_arrives_in_parts_and_says_how_much_of_it_is_safe(admin: Client, disk: Path) -> None:
    data = disk.read_bytes()
    id = declare(admin, size_byte=len(data), checksum=sha256(disk))
    for first in range(0, len(data), 3 * MIB):
        answer = upload_part(admin, id, data[first : first + 3 * MIB], first, len(data))
        assert answer.status_code == 202, answer.text
        assert answer.json()["status"]["uploaded_byte"] == min(first + 3 * MIB, len(data))
    reaches(admin, id, "finished")
    assert admin.get(f"/vm-images/{id}/download").content == data


def test_a_part_that_leaves_a_gap_is_refused_with_the_offset_that_is_due(admin: Client, disk: Path) -> None:
    data = disk.read_bytes()
    id = declare(admin, size_byte=len(data))
    upload_part(admin, id, data[:MIB], 0, len(data))
    answer = upload_part(admin, id, data[2 * MIB : 3 * MIB], 2 * MIB, len(data))
    assert answer.status_code == 409
    assert answer.json()["code"] == "wrong_offset"
    assert f"has {MIB} bytes" in answer.json()["message"]


def test_a_part_may_be_sent_again_and_reach_further(admin: Client, disk: Path) -> None:
    data = disk.read_bytes()
    id = declare(admin, size_byte=len(data), checksum=sha256(disk))
    for first, end in ((0, MIB), (0, MIB), (MIB // 2, 2 * MIB), (2 * MIB, len(data))):
        assert upload_part(admin, id, data[first:end], first, len(data)).status_code == 202
    reaches(admin, id, "finished")


def test_a_part_that_contradicts_what_is_there_is_refused(admin: Client, disk: Path) -> None:
    data = disk.read_bytes()
    id = declare(admin, size_byte=len(data))
    upload_part(admin, id, data[:MIB], 0, len(data))
    answer = upload_part(admin, id, b"\xff" * MIB, 0, len(data))
    assert answer.status_code == 409
    assert "differs" in answer.json()["message"]
    assert status_of(admin, id)["uploaded_byte"] == MIB


def test_an_upload_without_content_range_starts_anew(admin: Client, disk: Path) -> None:
    data = disk.read_bytes()
    id = declare(admin, size_byte=len(data), checksum=sha256(disk))
    upload_part(admin, id, b"\xff" * MIB, 0, len(data))
    assert upload(admin, id, data).status_code == 202
    reaches(admin, id, "finished")
    assert admin.get(f"/vm-images/{id}/download").content == data


@pytest.mark.parametrize(
    "wanted",
    [
        "bytes 5-4/100",
        "bytes 0-99/50",
        "bytes 0-9",
        "lines 0-9/10",
        "bytes 0-5/100",
        "bytes 0-9/*",
        "bytes -1-9/10",
    ],
)
def test_a_content_range_that_cannot_be_is_refused(admin: Client, wanted: str) -> None:
    id = declare(admin)
    headers = {**OCTETS, "content-range": wanted}
    answer = admin.post(f"/vm-images/{id}:upload", content=bytes(10), headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"]["field"] == "content-range"


def test_a_content_range_that_contradicts_the_declared_size_is_refused(admin: Client) -> None:
    id = declare(admin, size_byte=MIB)
    assert upload_part(admin, id, bytes(512), 0, 2 * MIB).status_code == 400


# -- too much, too little, and not the truth -----------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
def test_more_than_was_declared_is_refused(admin: Client, disk: Path, streamed: bool) -> None:
    data = disk.read_bytes()
    id = declare(admin, size_byte=len(data) - 512)
    body: Any = iter([data[: 4 * MIB], data[4 * MIB :]]) if streamed else data
    answer = admin.post(f"/vm-images/{id}:upload", content=body, headers=OCTETS)
    assert answer.status_code == 413
    assert f"{len(data) - 512} bytes" in answer.json()["message"]
    assert status_of(admin, id)["upload_state"] in ("waiting", "uploading")


def test_a_truncated_upload_stays_and_is_completed_later(admin: Client, disk: Path) -> None:
    data = disk.read_bytes()
    id = declare(admin, size_byte=len(data), checksum=sha256(disk))
    answer = upload(admin, id, data[: 5 * MIB])
    assert answer.status_code == 400
    assert answer.json()["code"] == "incomplete"
    assert reaches(admin, id, "uploading")["uploaded_byte"] == 5 * MIB
    assert upload_part(admin, id, data[5 * MIB :], 5 * MIB, len(data)).status_code == 202
    reaches(admin, id, "finished")


def test_a_client_that_goes_away_leaves_what_it_sent(
    shared_server: RunningServer, admin: Client, disk: Path
) -> None:
    data = disk.read_bytes()
    id = declare(admin, size_byte=len(data))

    def broken_off() -> Iterator[bytes]:
        yield data[: 6 * MIB]
        raise ConnectionAbortedError

    with closing(shared_server.client()) as other, pytest.raises(ConnectionAbortedError):
        other.post(
            f"/vm-images/{id}:upload",
            content=broken_off(),
            headers={**OCTETS, "content-length": str(len(data))},
        )
    # what was still in the network when the connection broke may be lost; the rest is not
    status = reaches(admin, id, "uploading")
    arrived = status["uploaded_byte"]
    assert 0 < arrived <= 6 * MIB
    assert upload_part(admin, id, data[arrived:], arrived, len(data)).status_code == 202
    reaches(admin, id, "finished")
    assert admin.get(f"/vm-images/{id}/download").content == data


@pytest.mark.parametrize("checksum", ["sha256:" + "0" * 64, "0" * 32])
def test_a_lying_checksum_is_refused_and_another_upload_may_follow(
    shared_server: RunningServer, admin: Client, disk: Path, checksum: str
) -> None:
    id = declare(admin, size_byte=disk.stat().st_size, checksum=checksum)
    answer = upload(admin, id, disk.read_bytes())
    assert answer.status_code == 400
    assert answer.json()["code"] == "wrong_checksum"
    status = reaches(admin, id, "failed")
    assert checksum.removeprefix("sha256:") in status["problem"]
    assert status["uploaded_byte"] == 0
    nothing_is_left_of(shared_server, id)
    assert upload(admin, id, disk.read_bytes()).status_code == 400


def nothing_is_left_of(server: RunningServer, id: int, seconds: float = 20.0) -> None:
    """Wait until the upload's file is gone: whoever was about to go on with it may hold it for a moment."""
    deadline = time.monotonic() + seconds
    while (server.directory / "data" / "uploads" / f"{id}.upload").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def hostile_images(directory: Path) -> dict[str, tuple[str, Path]]:
    secret = directory / "secret.raw"
    secret.write_bytes(b"secret" * 100_000)
    backed = directory / "backed.qcow2"
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*create, "-b", secret, "-F", "raw", backed], check=True)
    data = directory / "data.qcow2"
    subprocess.run([*create, "-o", f"data_file={directory}/outside", data, "1M"], check=True)
    descriptor = directory / "flat.vmdk"
    descriptor.write_text(
        '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\n'
        f'RW 1000 FLAT "{secret}" 0\n'
    )
    truncated = directory / "truncated.qcow2"
    truncated.write_bytes(convert(raw_disk(directory / "t.raw"), "qcow2").read_bytes()[: 2 * 65536 + 100])
    lying = directory / "lying.qcow2"
    lying.write_bytes(raw_disk(directory / "l.raw").read_bytes())
    huge = directory / "huge.qcow2"
    subprocess.run([*create, huge, "1M"], check=True)
    with huge.open("r+b") as file:
        file.seek(24)
        file.write(struct.pack(">Q", 1 << 60))
    return {
        "a backing file": ("qcow2", backed),
        "a data file": ("qcow2", data),
        "a foreign extent": ("vmdk", descriptor),
        "a missing end": ("qcow2", truncated),
        "another format": ("qcow2", lying),
        "an endless disk": ("qcow2", huge),
    }


@pytest.mark.parametrize(
    "name",
    [
        "a backing file",
        "a data file",
        "a foreign extent",
        "a missing end",
        "another format",
        "an endless disk",
    ],
)
def test_an_image_with_a_trap_is_refused_and_leaves_nothing(
    shared_server: RunningServer, admin: Client, tmp_path: Path, name: str
) -> None:
    format, file = hostile_images(tmp_path)[name]
    id = declare(admin, format=format)
    answer = upload(admin, id, file.read_bytes())
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"]["remedy"]
    assert reaches(admin, id, "failed")["problem"] == answer.json()["message"]
    nothing_is_left_of(shared_server, id)
    assert admin.get(f"/vm-images/{id}/download").status_code == 409
    assert admin.delete(f"/vm-images/{id}").status_code == 202
    admin.gone("vm-images", id)


# -- at the same time, and at the wrong time -----------------------------------------------------------


def test_a_second_upload_at_the_same_time_is_refused(
    shared_server: RunningServer, admin: Client, disk: Path
) -> None:
    data = disk.read_bytes()
    id = declare(admin, size_byte=len(data))
    answers: list[httpx.Response] = []

    def slowly() -> Iterator[bytes]:
        yield data[: 5 * MIB]
        with closing(shared_server.client()) as other:
            # the first is being received by now, or the second waits for it; it never gets in between
            answers.append(upload_part(other, id, data[:MIB], 0, len(data)))
        yield data[5 * MIB :]

    answer = admin.post(
        f"/vm-images/{id}:upload", content=slowly(), headers={**OCTETS, "content-length": str(len(data))}
    )
    assert answer.status_code == 202
    assert answers[0].status_code == 409
    assert answers[0].json()["code"] == "upload_busy"


def test_the_last_piece_may_be_sent_again_when_all_had_arrived(admin: Client, tmp_path: Path) -> None:
    data = raw_disk(tmp_path / "disk.raw").read_bytes()
    middle, size = len(data) // 2, len(data)
    id = declare(admin, size_byte=size)
    assert upload_part(admin, id, data[:middle], 0, size).status_code == 202
    assert upload_part(admin, id, data[middle:], middle, size).status_code == 202
    for _ in range(2):  # while it is taken in, and when that is over
        again = upload_part(admin, id, data[middle:], middle, size)
        assert again.status_code == 202, again.text
        assert again.json()["status"]["uploaded_byte"] in (0, size)
        reaches(admin, id, "finished")
    assert upload_part(admin, id, data[:middle], 0, size).status_code == 409
    assert upload_part(admin, id, data[middle:] + b"x", middle, size + 1).status_code == 409
    assert admin.get(f"/vm-images/{id}/download").content == data


def test_an_image_that_has_its_content_takes_no_other(admin: Client, disk: Path) -> None:
    id = whole_image(admin, disk)
    answer = upload(admin, id, disk.read_bytes())
    assert answer.status_code == 409
    assert answer.json()["code"] == "no_upload_due"


def test_an_image_is_deleted_in_the_middle_of_its_upload(
    shared_server: RunningServer, admin: Client, disk: Path
) -> None:
    data = disk.read_bytes()
    id = declare(admin, size_byte=len(data))
    spooled = shared_server.directory / "data" / "uploads" / f"{id}.upload"

    def slowly() -> Iterator[bytes]:
        yield data[: 5 * MIB]
        with closing(shared_server.client()) as other:
            assert other.delete(f"/vm-images/{id}").status_code == 202
            other.gone("vm-images", id)
        yield data[5 * MIB :]

    answer = admin.post(
        f"/vm-images/{id}:upload", content=slowly(), headers={**OCTETS, "content-length": str(len(data))}
    )
    assert answer.status_code in (404, 409)
    assert not spooled.exists()


# -- whose ---------------------------------------------------------------------------------------------


def test_an_image_of_another_project_does_not_exist(admin: Client, neighbour: Client, disk: Path) -> None:
    id = whole_image(admin, disk)
    assert neighbour.get(f"/vm-images/{id}").status_code == 404
    assert neighbour.get(f"/vm-images/{id}/download").status_code == 404
    assert upload(neighbour, id, b"x").status_code == 404
    spec = {"name": "volume", "bs_policy_id": 1, "size_mb": 8, "vm_image_id": id}
    assert neighbour.post("/bs-volumes/", json={"spec": spec}).status_code == 400


def test_a_shared_image_is_there_for_all_projects_to_read_and_use(
    shared_server: RunningServer, admin: Client, neighbour: Client, disk: Path
) -> None:
    id = whole_image(admin, disk, shared=True)
    assert neighbour.get(f"/vm-images/{id}").status_code == 200
    listed = neighbour.get("/vm-images/").json()["items"]
    assert id in [image["metadata"]["id"] for image in listed]
    assert neighbour.get(f"/vm-images/{id}/download").content == disk.read_bytes()
    volume = neighbour.create("bs-volumes", name="mine", bs_policy_id=1, size_mb=8, vm_image_id=id)
    assert content_of(shared_server, neighbour, volume["metadata"]["id"]) == disk.read_bytes()


def test_a_shared_image_is_changed_by_its_own_project_only(
    admin: Client, neighbour: Client, disk: Path
) -> None:
    id = whole_image(admin, disk, shared=True)
    assert neighbour.patch(f"/vm-images/{id}", json={"spec": {"name": "stolen"}}).status_code == 403
    assert neighbour.delete(f"/vm-images/{id}").status_code == 403
    assert upload(neighbour, id, b"x").status_code == 403
    assert admin.patch(f"/vm-images/{id}", json={"spec": {"shared": False}}).status_code == 202
    assert neighbour.get(f"/vm-images/{id}").status_code == 404


# -- downloads -----------------------------------------------------------------------------------------


def test_a_download_as_qcow2_is_a_sound_image_of_the_same_disk(
    admin: Client, disk: Path, tmp_path: Path
) -> None:
    id = whole_image(admin, disk)
    answer = admin.get(f"/vm-images/{id}/download", params={"format": "qcow2"})
    assert int(answer.headers["content-length"]) == len(answer.content) < disk.stat().st_size
    file = tmp_path / "back.qcow2"
    file.write_bytes(answer.content)
    subprocess.run(["qemu-img", "check", "-q", file], check=True)
    subprocess.run(["qemu-img", "compare", "-q", "-s", "-F", "raw", file, disk], check=False)
    subprocess.run(["qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", file, disk], check=True)


@pytest.mark.parametrize(
    ("wanted", "first", "end"),
    [("bytes=0-9", 0, 10), ("bytes=4194304-", 4 * MIB, 8 * MIB), ("bytes=-5", 8 * MIB - 5, 8 * MIB)],
)
def test_a_part_of_a_raw_image_can_be_had(
    admin: Client, disk: Path, image: int, wanted: str, first: int, end: int
) -> None:
    answer = admin.get(f"/vm-images/{image}/download", headers={"range": wanted})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{end - 1}/{8 * MIB}"
    assert answer.content == disk.read_bytes()[first:end]


@pytest.fixture(scope="module")
def image(admin: Client, disk: Path) -> int:
    return whole_image(admin, disk)


def test_a_part_beyond_the_end_is_a_416(admin: Client, image: int) -> None:
    answer = admin.get(f"/vm-images/{image}/download", headers={"range": f"bytes={8 * MIB}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{8 * MIB}"


def test_only_raw_and_qcow2_can_be_had(admin: Client, image: int) -> None:
    answer = admin.get(f"/vm-images/{image}/download", params={"format": "vmdk"})
    assert answer.status_code == 400
    assert answer.json()["details"]["field"] == "format"


# -- volumes and snapshots -----------------------------------------------------------------------------


def test_a_volume_of_an_image_begins_with_its_bytes_and_goes_on_with_zeros(
    shared_server: RunningServer, admin: Client, disk: Path
) -> None:
    id = whole_image(admin, disk)
    volume = admin.create("bs-volumes", name="volume", bs_policy_id=1, size_mb=9, vm_image_id=id)
    assert content_of(shared_server, admin, volume["metadata"]["id"]) == disk.read_bytes() + bytes(MIB)
    assert volume["spec"]["flattened"] is False


def test_an_image_counts_its_volumes_and_may_go_before_them(
    shared_server: RunningServer, admin: Client, disk: Path
) -> None:
    id = whole_image(admin, disk)
    volume = admin.create("bs-volumes", name="volume", bs_policy_id=1, size_mb=8, vm_image_id=id)
    admin.settled("vm-images", id)
    assert status_of(admin, id)["ref_num"] == 1
    assert admin.delete(f"/vm-images/{id}").status_code == 202
    admin.gone("vm-images", id)
    assert content_of(shared_server, admin, volume["metadata"]["id"]) == disk.read_bytes()


def test_a_volume_smaller_than_its_image_is_refused(admin: Client, image: int) -> None:
    spec = {"name": "volume", "bs_policy_id": 1, "size_mb": 7, "vm_image_id": image}
    answer = admin.post("/bs-volumes/", json={"spec": spec})
    assert answer.status_code == 400
    assert answer.json()["details"]["field"] == "spec.size_mb"
    assert "at least 8 MiB" in answer.json()["message"]


def test_there_is_no_volume_of_an_image_without_content(admin: Client) -> None:
    spec = {"name": "volume", "bs_policy_id": 1, "size_mb": 8, "vm_image_id": declare(admin)}
    assert admin.post("/bs-volumes/", json={"spec": spec}).status_code == 409


def test_a_snapshot_becomes_an_image_while_its_volume_goes_on(
    shared_server: RunningServer, admin: Client, disk: Path
) -> None:
    source = whole_image(admin, disk)
    volume = admin.create("bs-volumes", name="v", bs_policy_id=1, size_mb=8, vm_image_id=source)
    volume_id = volume["metadata"]["id"]
    driver, layer = layer_of(shared_server, admin, volume_id)
    with driver.open_writing(layer) as writer:
        writer.write(MIB, b"the template")
    snapshot = admin.create("bs-snaps", name="s", bs_volume_id=volume_id)["metadata"]["id"]
    driver, layer = layer_of(shared_server, admin, volume_id)
    with driver.open_writing(layer) as writer:
        writer.write(MIB, b"and afterwards")
    image = admin.create("vm-images", name="template", bs_snap_id=snapshot)
    expected = bytearray(disk.read_bytes())
    expected[MIB : MIB + 12] = b"the template"
    assert image["status"]["upload_state"] == "finished"
    assert image["status"]["size_byte"] == 8 * MIB
    template = image["metadata"]["id"]
    assert admin.get(f"/vm-images/{template}/download").content == expected
    # the snapshot may go, and the image stays
    assert admin.delete(f"/bs-snaps/{snapshot}").status_code == 202
    admin.gone("bs-snaps", snapshot)
    assert admin.get(f"/vm-images/{template}/download").content == expected
    assert upload(admin, template, b"x").json()["code"] == "no_upload_due"


# -- what cannot be wanted -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"format": "vdi"}, "spec.format"),
        ({"type": "floppy", "format": "raw"}, "spec.type"),
        ({}, "spec.format"),
        ({"type": "iso", "format": "qcow2"}, "spec.format"),
        ({"type": "disk", "format": "iso"}, "spec.type"),
        ({"format": "raw", "size_byte": -1}, "spec.size_byte"),
        ({"format": "raw", "checksum": "abc"}, "spec.checksum"),
        ({"format": "raw", "checksum": "sha1:" + "0" * 40}, "spec.checksum"),
        ({"format": "raw", "bs_policy_id": 999999}, "spec.bs_policy_id"),
        ({"format": "raw", "os_release_id": 999999}, "spec.os_release_id"),
        ({"bs_snap_id": 999999}, "spec.bs_snap_id"),
        ({"bs_snap_id": 1, "path": "/x"}, "spec.path"),
        ({"format": "raw", "in_place": True}, "spec.in_place"),
        ({"format": "raw", "path": "/etc/passwd"}, "spec.path"),
        ({"format": "raw", "uploaded_byte": 7}, "spec.uploaded_byte"),
    ],
)
def test_an_image_that_cannot_be_is_refused_with_the_field(
    admin: Client, spec: dict[str, Any], field: str
) -> None:
    answer = admin.post("/vm-images/", json={"spec": {"name": "image", **spec}})
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"]["field"] == field
