"""A real Ceph on loopback, for tests and benchmarks: one monitor, one manager, three file-backed OSDs.

`ceph_cluster(directory)` starts the cluster of that directory, or joins it when another process already did;
the fixtures `shared_ceph` and `ceph_pool`, to be imported, are on top of it. Nothing outlives its users:
the daemons are children of one supervising process (`ceph_daemons`, as a program) and die with it, and the
supervisor ends as soon as no process holds the directory's users lock any more. The kernel drops that lock
however a user ends, so a test session killed with SIGTERM or SIGKILL leaves nothing behind either.

Pools hold one replica. The tests are about Stratal's driver, not about Ceph's replication, and one replica
halves the disk writes; with three OSDs, a pool still spans all of them. Ask for more with `replicas=`.
"""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ceph_daemons
from ceph_daemons import OSD_IDS, START_SECONDS, Cluster, wait_until

__all__ = ["OSD_IDS", "Cluster", "ceph_cluster", "ceph_pool", "shared_ceph", "why_not"]

PACKAGES = ("ceph-mon", "ceph-mgr", "ceph-osd", "ceph-common", "python3-rados", "python3-rbd")
PROGRAMS = ("ceph-mon", "ceph-mgr", "ceph-osd", "ceph-authtool", "monmaptool")


@contextlib.contextmanager
def ceph_cluster(directory: Path | None = None) -> Iterator[Cluster]:
    """Start the cluster of this directory, or join it, and use it until the end of the block.

    The last user's end stops the daemons and removes the directory. Without a directory, a new one is made.
    """
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="stratal-ceph-") as parent:
            with ceph_cluster(Path(parent) / "cluster") as cluster:
                yield cluster
            return
    directory = directory.absolute()
    if len(str(directory)) > 70:
        raise ValueError(f"{directory} is too long a path for the daemons' sockets")
    supervisor: subprocess.Popen[bytes] | None = None
    with _start_lock(directory):
        users = _join(directory)
        if users is None:
            users, supervisor = _start(directory)
    try:
        yield Cluster(directory=directory)
    finally:
        os.close(users)
        _wait_if_last(directory)
        if supervisor is not None:
            # Others may still use the cluster; then the supervisor outlives this process, which is meant.
            supervisor.returncode = supervisor.poll() or 0


def _join(directory: Path) -> int | None:
    """Take a share of a running cluster's users lock; None when there is no cluster to join."""
    if not (directory / "ready").exists():
        return None
    users = os.open(directory / "users.lock", os.O_RDWR)
    try:
        fcntl.flock(users, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:  # the supervisor holds it alone: it is ending
        os.close(users)
        wait_until(lambda: not directory.exists(), 60, "the previous cluster does not end")
        return None
    return users


def _start(directory: Path) -> tuple[int, subprocess.Popen[bytes]]:
    shutil.rmtree(directory, ignore_errors=True)  # of a cluster whose supervisor was killed
    directory.mkdir()
    users = os.open(directory / "users.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(users, fcntl.LOCK_SH)
    log = directory / "supervisor.log"
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, ceph_daemons.__file__, str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a Ctrl-C is for the tests, which then let go of the lock
        )

    def started() -> bool:
        if supervisor.poll() is not None:
            text = log.read_text() if log.exists() else "it left no log"
            raise RuntimeError(f"the Ceph cluster did not start:\n{text}")
        return (directory / "ready").exists()

    try:
        wait_until(started, START_SECONDS, "the Ceph cluster does not start")
    except BaseException:
        os.close(users)
        supervisor.terminate()
        supervisor.wait()
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return users, supervisor


def _wait_if_last(directory: Path) -> None:
    """Wait for the cluster's end unless it has other users, so that the last one leaves nothing running."""
    with _start_lock(directory):  # nobody joins meanwhile, so a failed probe means users or the supervisor
        try:
            with (directory / "users.lock").open("r+b") as probe:
                fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return
        except BlockingIOError:
            time.sleep(0.1)
            if (directory / "ready").exists():
                return
    wait_until(lambda: not directory.exists(), 30, "the cluster does not end")


@contextlib.contextmanager
def _start_lock(directory: Path) -> Iterator[None]:
    """Beside the directory, because the supervisor removes that with everything in it."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with directory.with_name(directory.name + ".start").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def why_not() -> str | None:
    """Why no Ceph can run here, after trying to install it; None when it can."""
    if not _missing():
        return None
    command = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"Ceph is not installed ({', '.join(_missing())}); as root: {' '.join(command)}"
    options = ["-o", "DPkg::Lock::Timeout=300", "-q"]
    result = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        return f"{' '.join(command)}: {result.stderr.strip()[-300:]}"
    return f"still missing after installation: {', '.join(_missing())}" if _missing() else None


def _missing() -> list[str]:
    importlib.invalidate_caches()
    programs = [name for name in PROGRAMS if shutil.which(name) is None]
    return programs + [name for name in ("rados", "rbd") if importlib.util.find_spec(name) is None]


@pytest.fixture(scope="session")
def shared_ceph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster that all modules and all xdist workers of one test session share."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with _start_lock(base / "ceph-packages"):
        reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with ceph_cluster(base / "ceph") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def ceph_pool(shared_ceph: Cluster) -> Iterator[str]:
    """A new pool for each test module."""
    pool = shared_ceph.create_pool()
    yield pool
    shared_ceph.delete_pool(pool)
