"""A server that is killed while an image arrives or is made: it goes on, and nothing is left behind."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

import stratal.server  # noqa: F401  declares every effect
from image_files import (
    MIB,
    OCTETS,
    convert,
    declare,
    incompressible,
    raw_disk,
    reaches,
    sha256,
    status_of,
    upload,
    upload_part,
)
from running_server import Client, RunningServer, running_server
from stratal.kernel.effects import Effect

POINTS = [
    point
    for point in Effect.crash_points()
    if point.startswith(("vm_image.", "qcow2.make.", "qcow2.freeze", "tree."))
]


def log_in_again(server: RunningServer, password: str) -> Client:
    return server.client("admin", password)


def left_behind(server: RunningServer) -> tuple[list[str], int]:
    """Files of uploads, and how many files of layers there are beside the mark."""
    data = server.directory / "data"
    uploads = sorted(os.listdir(data / "uploads")) if (data / "uploads").exists() else []
    return uploads, len([name for name in os.listdir(data / "layers") if not name.startswith(".")])


def go_on(client: Client, id: int, data: bytes) -> None:
    """Do what a client does after a crash: ask how far it came, and send the rest."""
    status = status_of(client, id)
    first = status["uploaded_byte"]
    if status["upload_state"] in ("waiting", "uploading"):
        answer = upload_part(client, id, data[first:], first, len(data))
        # 409: all of it had arrived, and the server goes on by itself
        assert answer.status_code in (202, 409), answer.text


@pytest.mark.parametrize("point", POINTS)
def test_a_server_killed_at_any_point_finishes_the_image_after_its_restart(
    tmp_path: Path, point: str
) -> None:
    disk = raw_disk(tmp_path / "disk.raw")
    file = convert(disk, "qcow2")
    data = file.read_bytes()
    middle = len(data) // 2
    with running_server(tmp_path, environment={"STRATAL_CRASH_AT": point}) as server:
        password = server.password
        client = log_in_again(server, password)
        id = declare(client, format="qcow2", size_byte=len(data), checksum=sha256(file))
        try:
            upload_part(client, id, data[:middle], 0, len(data))
            upload_part(client, id, data[middle:], middle, len(data))
            server.process.wait(timeout=20)
        except httpx.TransportError:
            server.process.wait(timeout=20)
        assert server.process.returncode == -9
    with running_server(tmp_path) as server, closing(log_in_again(server, password)) as client:
        go_on(client, id, data)
        reaches(client, id, "finished", seconds=60)
        client.settled("vm-images", id)
        assert client.get(f"/vm-images/{id}/download").content == disk.read_bytes()
        assert left_behind(server) == ([], 1)


def test_a_long_upload_survives_a_kill_with_what_it_had_made_safe(tmp_path: Path) -> None:
    disk = incompressible(tmp_path / "disk.raw", 96)
    data = disk.read_bytes()
    with running_server(tmp_path) as server:
        password = server.password
        client = log_in_again(server, password)
        id = declare(client, size_byte=len(data), checksum=sha256(disk))

        def until_killed() -> Iterator[bytes]:
            for first in range(0, 88 * MIB, MIB):
                yield data[first : first + MIB]
            with closing(log_in_again(server, password)) as other:
                while not status_of(other, id)["uploaded_byte"]:
                    pass
            server.kill()
            yield data[88 * MIB :]

        headers = {**OCTETS, "content-length": str(len(data))}
        with pytest.raises(httpx.TransportError):
            client.post(f"/vm-images/{id}:upload", content=until_killed(), headers=headers)
    with running_server(tmp_path) as server, closing(log_in_again(server, password)) as client:
        safe = status_of(client, id)["uploaded_byte"]
        assert 0 < safe <= 88 * MIB
        assert upload_part(client, id, data[safe:], safe, len(data)).status_code == 202
        client.settled("vm-images", id, seconds=60)
        assert client.get(f"/vm-images/{id}/download").content == data


def test_the_data_of_images_that_are_no_more_are_removed_at_the_start(tmp_path: Path) -> None:
    uploads = tmp_path / "data" / "uploads"
    uploads.mkdir(parents=True, mode=0o700)
    (uploads / "77.upload").write_bytes(b"left behind")
    (uploads / "not ours").write_bytes(b"somebody's")
    with running_server(tmp_path):
        assert os.listdir(uploads) == ["not ours"]


def test_a_full_disk_stops_an_upload_at_an_offset_from_which_it_goes_on(tmp_path: Path) -> None:
    disk = incompressible(tmp_path / "disk.raw", 24)
    data = disk.read_bytes()
    with running_server(tmp_path) as server, closing(log_in_again(server, server.password)) as client:
        id = declare(client, size_byte=len(data), checksum=sha256(disk))
        # a file cannot grow beyond this: what a full disk looks like to the one who writes to it
        no_limit = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (18 * MIB, no_limit[1]))
        answer = upload(client, id, data)
        assert answer.status_code == 503
        assert answer.json()["code"] == "no_space"
        safe = reaches(client, id, "uploading")["uploaded_byte"]
        assert 0 < safe <= 18 * MIB
        assert f"{safe} bytes" in answer.json()["message"]
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, no_limit)
        assert upload_part(client, id, data[safe:], safe, len(data)).status_code == 202
        client.settled("vm-images", id, seconds=60)
        assert client.get(f"/vm-images/{id}/download").content == data


def test_an_image_deleted_while_it_is_made_leaves_nothing(tmp_path: Path) -> None:
    disk = incompressible(tmp_path / "disk.raw", 64)
    with running_server(tmp_path) as server, closing(log_in_again(server, server.password)) as client:
        for _ in range(3):
            id = declare(client)
            assert upload(client, id, disk.read_bytes()).status_code == 202
            assert client.delete(f"/vm-images/{id}").status_code == 202
            client.gone("vm-images", id, seconds=60)
        come_to_nothing(server)


def come_to_nothing(server: RunningServer) -> None:
    deadline = time.monotonic() + 20
    while left_behind(server) != ([], 0):
        assert time.monotonic() < deadline, left_behind(server)
        time.sleep(0.05)
