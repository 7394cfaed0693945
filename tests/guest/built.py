"""The guest's files for tests: built by tools/guest/build.py once, then taken from its cache.

from guest.built import disk_image, fast_guest  # noqa: F401  (fixtures)
"""

import json
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

_BUILD = Path(__file__).resolve().parents[2] / "tools/guest/build.py"
#: A first build fetches about 80 MB and takes 10 s on an idle machine; workers wait for each other.
_BUILD_SECONDS = 280
_PROGRAMS = ("apt-get", "dpkg-deb", "gcc", "readelf", "qemu-img")


class GuestNotBuilt(Exception):
    """The build failed; the text is what it said."""


@dataclass(frozen=True, kw_only=True)
class GuestFiles:
    """Read-only, shared by everybody: copy the disk, or put an overlay on it, before something writes."""

    #: The kernel for BIOS machines: QEMU starts it by its PVH entry, 3 s sooner than `vmlinuz` under TCG.
    vmlinux: Path
    #: The same kernel for UEFI machines.
    vmlinuz: Path
    initramfs: Path
    #: qcow2, 128 MiB, boots with BIOS and with UEFI.
    disk: Path
    #: For the kernel; tools/guest/root/init lists what may be added, `stratal.agent=hang` for one.
    command_line: str


def why_not() -> str | None:
    """Why the guest cannot be built or run here; None when it can."""
    if platform.machine() != "x86_64":
        return f"the guest is for x86_64, this is {platform.machine()}"
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)}; tools/setup test installs them" if missing else None


def build(cache: Path | None = None) -> GuestFiles:
    """A tenth of a second when it is built already; in another place than the usual one, with `cache`."""
    result = subprocess.run(
        [sys.executable, str(_BUILD), *([str(cache)] if cache else [])],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise GuestNotBuilt(result.stderr)
    answer = json.loads(result.stdout)
    return GuestFiles(
        command_line=answer.pop("command_line"), **{name: Path(path) for name, path in answer.items()}
    )


@pytest.fixture(scope="session")
def fast_guest() -> GuestFiles:
    """Kernel and initramfs, to be started directly."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    return build()


@pytest.fixture(scope="session")
def disk_image(fast_guest: GuestFiles) -> Path:
    """A bootable disk."""
    return fast_guest.disk
