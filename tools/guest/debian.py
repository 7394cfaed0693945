"""Packages from Debian's archive, fetched and unpacked by apt and dpkg-deb without being installed.

apt checks every file against the archive's signed lists. What was fetched stays in a directory and is used
again, so that nothing is fetched twice and a build without a network works once there was one.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from failure import BuildFailed

#: Always up to date; depends on the package that holds the kernel.
KERNEL = "linux-image-amd64"
_KERNEL_PACKAGE = re.compile(r"Depends: (linux-image-[0-9]\S*-amd64)$", re.MULTILINE)


class Packages:
    """The packages of a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def fetch(self, names: list[str]) -> list[Path]:
        """The files of these packages, in this order; fetches those that are not there."""
        self._directory.mkdir(parents=True, exist_ok=True)
        missing = [name for name in names if self._held(name) is None]
        if missing:
            self._download(missing)
        return [self._file(name) for name in names]

    def _held(self, name: str) -> Path | None:
        pattern = "linux-image-[0-9]*-amd64_*.deb" if name == KERNEL else f"{name}_*.deb"
        return max(self._directory.glob(pattern), default=None)

    def _file(self, name: str) -> Path:
        file = self._held(name)
        if file is None:
            raise BuildFailed(f"apt-get download did not bring {name}")
        return file

    def _download(self, names: list[str]) -> None:
        """Into a directory of its own first: a download that was cut off must not look complete."""
        with tempfile.TemporaryDirectory(prefix=".download-", dir=self._directory) as scratch:
            first = _apt_download(names, Path(scratch))
            if first is not None:
                # The lists are missing or name versions that the archive has replaced.
                _as_root(["apt-get", "update"])
                second = _apt_download(names, Path(scratch))
                if second is not None:
                    raise BuildFailed(f"apt-get download {' '.join(names)}:\n{second}")
            for file in Path(scratch).glob("*.deb"):
                file.rename(self._directory / file.name)


def unpack(package: Path, directory: Path) -> None:
    """Lay a package's files out below a directory, without running any of its scripts."""
    directory.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", "--extract", package, directory], check=True)


def _apt_download(names: list[str], directory: Path) -> str | None:
    """What apt said when it failed."""
    real = [_kernel_package() if name == KERNEL else name for name in names]
    if None in real:
        return f"apt does not know {KERNEL}"
    result = subprocess.run(
        ["apt-get", "--quiet", "download", *(name for name in real if name)],
        cwd=directory,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return None if result.returncode == 0 else (result.stderr or result.stdout)[-2000:]


def _kernel_package() -> str | None:
    result = subprocess.run(
        ["apt-cache", "depends", KERNEL],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = _KERNEL_PACKAGE.search(result.stdout)
    return found[1] if found else None


def _as_root(command: list[str]) -> None:
    """Best effort: an unreachable source that is not Debian's own must not stop a build."""
    if os.geteuid() != 0:
        command = ["sudo", "-n", *command]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
