"""A kernel that boots sooner from a disk: Debian's, packed by LZ4 instead of xz, behind a start of our own.

Under TCG, unpacking xz takes 3 of the 9 s from power-on to a disk guest that answers; LZ4 takes a few
tenths. The decompressor is part of a kernel's image and cannot be changed alone, so quick/ brings one. Only
for BIOS: UEFI starts another part of the image, which this one has not got.
"""

import os
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from failure import BuildFailed

PACKAGES = ("lz4", "liblz4-1")
_SOURCES = Path(__file__).parent / "quick"

# Fields of the real-mode kernel header: Documentation/arch/x86/boot.rst.
_SETUP_SECTORS, _PARAGRAPHS, _RELOCATABLE, _XLOADFLAGS = 0x1F1, 0x1F4, 0x234, 0x236
_PAYLOAD, _MEMORY = 0x248, 0x260
_LOADED_AT = 0x100000
#: Between the ends of the unpacked and of the packed kernel: LZ4 needs 1/255, and a few bytes for each block.
_MARGIN = 1 << 20


@dataclass(frozen=True, kw_only=True)
class _Kernel:
    """The kernel as it lies in memory."""

    start: int
    data: bytes
    #: Behind its zeros.
    end: int
    entry: int


def pack(vmlinuz: bytes, vmlinux: bytes, packages: Path, scratch: Path) -> bytes:
    """An image for boot loaders, from Debian's and the kernel in it."""
    kernel = _in_memory(vmlinux)
    payload = _compress(kernel.data, packages, scratch)
    start = _compile(kernel, len(payload), scratch)
    protected = start + payload
    protected += bytes(-len(protected) % 16)
    header = bytearray(vmlinuz[: (vmlinuz[_SETUP_SECTORS] + 1) * 512])
    struct.pack_into("<I", header, _PARAGRAPHS, len(protected) // 16)
    struct.pack_into("<BxH", header, _RELOCATABLE, 0, 0)
    struct.pack_into("<II", header, _PAYLOAD, len(start), len(payload))
    end = max(kernel.end, kernel.start + len(kernel.data) + _MARGIN)
    struct.pack_into("<I", header, _MEMORY, end - _LOADED_AT)
    return bytes(header) + protected


def _in_memory(vmlinux: bytes) -> _Kernel:
    """The loadable segments of the ELF file, at their physical addresses."""
    entry, table = struct.unpack_from("<QQ", vmlinux, 0x18)
    size, count = struct.unpack_from("<HH", vmlinux, 0x36)
    segments: list[tuple[int, int, int, int]] = []
    for number in range(count):
        kind, _, offset, _, place, held, length = struct.unpack_from(
            "<IIQQQQQ", vmlinux, table + number * size
        )
        if kind == 1:
            segments.append((place, offset, held, length))
    start = min(place for place, *_ in segments)
    data = bytearray(max(place + held for place, _, held, _ in segments) - start)
    for place, offset, held, _ in segments:
        data[place - start : place - start + held] = vmlinux[offset : offset + held]
    end = max(place + length for place, _, _, length in segments)
    return _Kernel(start=start, data=bytes(data), end=end, entry=entry)


def _compress(data: bytes, packages: Path, scratch: Path) -> bytes:
    source, target = scratch / "kernel.flat", scratch / "kernel.lz4"
    source.write_bytes(data)
    libraries = packages / "usr/lib/x86_64-linux-gnu"
    command = [packages / "usr/bin/lz4", "-q", "-f", "-l", "-9", source, target]
    subprocess.run(command, env={**os.environ, "LD_LIBRARY_PATH": str(libraries)}, check=True)
    return target.read_bytes()


def _compile(kernel: _Kernel, payload_bytes: int, scratch: Path) -> bytes:
    target = scratch / "quick.bin"
    command = ["gcc", "-m64", "-O2", "-ffreestanding", "-fno-pic", "-fno-stack-protector", "-mno-red-zone"]
    command += [
        "-mgeneral-regs-only",
        "-fno-asynchronous-unwind-tables",
        "-fno-tree-loop-distribute-patterns",
    ]
    command += ["-Wall", "-Wextra", "-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none,--oformat=binary"]
    command += [f"-DKERNEL_START={kernel.start}UL", f"-DKERNEL_BYTES={len(kernel.data)}UL"]
    command += [f"-DKERNEL_END={kernel.end}UL", f"-DPAYLOAD_BYTES={payload_bytes}UL"]
    command += [
        f"-DKERNEL_ENTRY={kernel.entry}",
        f"-DMARGIN={_MARGIN}",
        "-T",
        str(_SOURCES / "quick.lds"),
        "-o",
        str(target),
    ]
    sources = [str(_SOURCES / name) for name in ("start.S", "unpack.c")]
    result = subprocess.run([*command, *sources], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BuildFailed(f"gcc failed:\n{result.stderr[-4000:]}")
    return target.read_bytes()
