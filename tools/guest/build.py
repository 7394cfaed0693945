#!/usr/bin/env python3
"""Builds the guest for tests and demo, once, and prints where it is.

    tools/guest/build.py [CACHE]    {"disk": "/…", "vmlinux": "/…", …, "command_line": "…"}

`disk` boots by itself, with BIOS and with UEFI. Or QEMU starts `vmlinux` (for UEFI, `vmlinuz`) with
`initramfs` and `command_line`. What the guest can be asked is in tests/guest/control.py.

Needs apt, gcc with libc6-dev, mke2fs and qemu-img, which tools/setup installs for `test` and `demo`; no
rights of root. Packages are kept in CACHE/packages; to build from newer ones, remove CACHE, .cache/guest.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import disk
import initramfs
import kernel
from debian import KERNEL, Packages, unpack
from failure import BuildFailed

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache/guest"
FILES = {"vmlinux": "vmlinux", "vmlinuz": "vmlinuz", "initramfs": "initramfs", "disk": "disk.qcow2"}


def main() -> int:
    try:
        directory = build(Path(sys.argv[1]) if len(sys.argv) > 1 else CACHE)
    except BuildFailed as error:
        print(f"the guest could not be built: {error}", file=sys.stderr)
        return 1
    files = {name: str(directory / file) for name, file in FILES.items()}
    print(json.dumps({**files, "command_line": f"console=ttyS0 {kernel.QUICK_BOOT}"}))
    return 0


def build(cache: Path) -> Path:
    """The directory of the files, made when these sources were not built yet. Processes take turns."""
    cache.mkdir(parents=True, exist_ok=True)
    built = cache / _fingerprint()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if built.exists():
            return built
        for other in cache.iterdir():  # what older sources gave, and what a build that was killed left
            if other.is_dir() and other.name != "packages":
                shutil.rmtree(other)
        with tempfile.TemporaryDirectory(prefix=".build-", dir=cache) as scratch:
            _build(Packages(cache / "packages"), Path(scratch))
            for file in (Path(scratch) / "result").iterdir():
                file.chmod(0o444)  # shared: an overlay goes on the disk, or a copy is made
            (Path(scratch) / "result").rename(built)
    return built


def _build(packages: Packages, scratch: Path) -> None:
    result = scratch / "result"
    result.mkdir()
    kernel_package, *others = packages.fetch([KERNEL, *initramfs.PACKAGES, *disk.PACKAGES])
    unpack(kernel_package, scratch / "kernel")
    for package in others:
        unpack(package, scratch / "packages")
    image = kernel.vmlinuz(scratch / "kernel").read_bytes()
    (result / "vmlinuz").write_bytes(image)
    (result / "vmlinux").write_bytes(kernel.vmlinux(image))
    (result / "initramfs").write_bytes(initramfs.build(scratch / "packages", scratch / "kernel", scratch))
    disk.build(result, scratch / "packages", scratch)
    names = sorted(package.name for package in (kernel_package, *others))
    (result / "packages.txt").write_text("".join(f"{name}\n" for name in names))


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(HERE.rglob("*")):
        if path.is_file() and path.suffix not in (".md", ".pyc"):
            digest.update(f"{path.relative_to(HERE)} {path.stat().st_mode & 0o100}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"the guest could not be built: {error}")
