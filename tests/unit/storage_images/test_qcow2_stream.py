"""qcow2 files made on the way: QEMU finds them sound and reads the same disk from them."""

import random
import subprocess
from pathlib import Path

import pytest

from stratal.storage.vm_image.qcow2_stream import CLUSTER_BYTES, Qcow2Stream

MIB = 2**20


@pytest.mark.parametrize(
    ("size", "ranges"),
    [
        (MIB, []),
        (512, [(0, 512)]),
        (MIB + 512, [(MIB, 512)]),
        (3 * MIB, [(0, 1), (1, 1), (CLUSTER_BYTES - 1, 2), (2 * MIB, MIB)]),
        (3 * MIB, [(10, 3 * MIB - 10)]),
        (2**30 + MIB, [(0, 512), (2**29, CLUSTER_BYTES), (2**30, MIB)]),
    ],
)
def test_qemu_reads_the_disk_from_the_stream(
    tmp_path: Path, size: int, ranges: list[tuple[int, int]]
) -> None:
    raw, file = tmp_path / "disk.raw", tmp_path / "disk.qcow2"
    with raw.open("wb") as disk:
        disk.truncate(size)
        for offset, length in ranges:
            disk.seek(offset)
            disk.write(random.Random(offset).randbytes(length))
    stream = Qcow2Stream(size, ranges)
    with raw.open("rb") as disk, file.open("wb") as target:

        def read(offset: int, length: int) -> bytes:
            disk.seek(offset)
            data = disk.read(length)
            assert len(data) == length
            return data

        for chunk in stream.chunks(read):
            target.write(chunk)
    assert file.stat().st_size == stream.length
    subprocess.run(["qemu-img", "check", "-q", file], check=True)
    subprocess.run(["qemu-img", "compare", "-q", "-f", "raw", "-F", "qcow2", raw, file], check=True)


def test_a_full_disk_of_many_terabytes_needs_only_its_tables_before_its_data() -> None:
    size = 8 * 2**40
    stream = Qcow2Stream(size, [(0, MIB), (size - MIB, MIB)])
    assert stream.length < 200 * MIB
