"""Disk images in files, real and hostile, and short ways to upload them."""

import hashlib
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

from running_server import Client

MIB = 2**20
OCTETS = {"content-type": "application/octet-stream"}


def raw_disk(path: Path, *, size_mb: int = 8, seed: int = 1) -> Path:
    """A disk with some data at its beginning, in its middle and at its end."""
    chance = random.Random(seed)
    with path.open("wb") as file:
        file.truncate(size_mb * MIB)
        for at in (0, size_mb * MIB // 2 + 12345, size_mb * MIB - 70000):
            file.seek(at)
            file.write(chance.randbytes(65000))
    return path


def incompressible(path: Path, size_mb: int) -> Path:
    path.write_bytes(random.Random(size_mb).randbytes(size_mb * MIB))
    return path


def convert(raw: Path, format: str, *options: str) -> Path:
    target = raw.with_suffix(f".{format}")
    arguments = [part for option in options for part in ("-o", option)]
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", format, *arguments, raw, target], check=True)
    return target


def iso(path: Path, *, sectors: int = 64) -> Path:
    """An ISO 9660 image with a primary volume descriptor and nothing in it."""
    primary = bytearray(2048)
    primary[:7] = b"\x01CD001\x01"
    primary[80:88] = sectors.to_bytes(4, "little") + sectors.to_bytes(4, "big")
    primary[128:132] = (2048).to_bytes(2, "little") + (2048).to_bytes(2, "big")
    end = bytearray(2048)
    end[:7] = b"\xffCD001\x01"
    content = bytes(16 * 2048) + bytes(primary) + bytes(end)
    path.write_bytes(content.ljust(sectors * 2048, b"\x5a"))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def declare(client: Client, **spec: Any) -> int:
    """A new image that waits for its upload."""
    answer = client.post("/vm-images/", json={"spec": {"name": "image", "format": "raw", **spec}})
    assert answer.status_code == 202, answer.text
    return answer.json()["metadata"]["id"]


def upload(client: httpx.Client, id: int, data: bytes) -> httpx.Response:
    return client.post(f"/vm-images/{id}:upload", content=data, headers=OCTETS)


def upload_part(client: httpx.Client, id: int, data: bytes, first: int, total: int | str) -> httpx.Response:
    wanted = {"content-range": f"bytes {first}-{first + len(data) - 1}/{total}"}
    return client.post(f"/vm-images/{id}/:upload", content=data, headers={**OCTETS, **wanted})


def status_of(client: httpx.Client, id: int) -> dict[str, Any]:
    answer = client.get(f"/vm-images/{id}")
    assert answer.status_code == 200, answer.text
    return answer.json()["status"]


def reaches(client: httpx.Client, id: int, state: str, seconds: float = 20.0) -> dict[str, Any]:
    """The status of the image, once it is in that state of its upload."""
    deadline = time.monotonic() + seconds
    while (status := status_of(client, id))["upload_state"] != state:
        assert time.monotonic() < deadline, status
        time.sleep(0.02)
    return status


def whole_image(client: Client, path: Path, **spec: Any) -> int:
    """An image that is ready to be used."""
    id = declare(client, **spec)
    answer = upload(client, id, path.read_bytes())
    assert answer.status_code == 202, answer.text
    client.settled("vm-images", id)
    return id
