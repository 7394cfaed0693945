"""The daemons of a test cluster, and how to reach them. Used through `ceph`; see there what they promise.

Run as a program with a directory, this is the supervisor that starts the daemons there and ends with the
last user of the cluster.
"""

import argparse
import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OSD_IDS = (0, 1, 2)
OSD_BYTES = 6 << 30
START_SECONDS = 120

CONFIGURATION = """\
[global]
fsid = {fsid}
mon_host = [v2:127.0.0.1:{port}/0]
keyring = {directory}/keyring
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
run_dir = {directory}/run
admin_socket = {directory}/run/$name.$pid.asok
crash_dir = {directory}/run
log_file = {directory}/$name.log
log_to_stderr = false
mon_cluster_log_file = {directory}/cluster.log
osd_crush_chooseleaf_type = 0
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_autoscale_mode = off
mon_max_pg_per_osd = 5000
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_warn_on_pool_no_redundancy = false
auth_allow_insecure_global_id_reclaim = false

[client]
admin_socket =
log_file =

[mon]
mon_data = {directory}/mon
mon_data_avail_crit = 1
# The first election need not wait for peers that do not exist.
mon_election_timeout = 1
# A new RADOS snapshot id is a map change; by default those wait up to a second, to be made together.
paxos_propose_interval = 0.01
paxos_min_wait = 0.01

[mgr]
mgr_data = {directory}/mgr
mgr_stats_period = 1

[osd]
osd_data = {directory}/osd.$id
osd_objectstore = bluestore
bluestore_block_create = true
bluestore_block_size = {osd_bytes}
# A few dozen MiB of cache per OSD instead of the usual 4 GiB target; 896 MiB is the lowest target allowed.
osd_memory_target = 939524096
bluestore_cache_autotune = false
bluestore_cache_size = 33554432
osd_op_num_shards = 2
osd_op_num_threads_per_shard = 1
osd_scrub_load_threshold = 0.01
# On a disk that calls itself rotating, an OSD would rest five seconds between two objects that it trims.
osd_snap_trim_sleep_hdd = 0
osd_snap_trim_sleep_hybrid = 0
osd_delete_sleep_hdd = 0
osd_delete_sleep_hybrid = 0
osd_op_queue = wpq
"""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A running cluster. `conf` is all that a client needs: it names the monitor and the keyring."""

    directory: Path

    @property
    def conf(self) -> Path:
        return self.directory / "ceph.conf"

    @property
    def keyring(self) -> Path:
        """The keyring of `client.admin`."""
        return self.directory / "keyring"

    @contextlib.contextmanager
    def connected(self) -> Iterator[Any]:
        """A `rados.Rados` handle as `client.admin`, which gives up after 30 s instead of waiting for ever."""
        import rados

        options = {"client_mount_timeout": "30", "rados_osd_op_timeout": "30", "rados_mon_op_timeout": "30"}
        handle = rados.Rados(conffile=str(self.conf), name="client.admin", conf=options)
        handle.connect()
        try:
            yield handle
        finally:
            handle.shutdown()

    def command(self, prefix: str, **arguments: object) -> Any:
        """Run a monitor command, such as `osd pool ls`; the decoded JSON answer, or None when it is empty."""
        with self.connected() as handle:
            return monitor_command(handle, prefix, **arguments)

    def create_pool(self, name: str | None = None, *, replicas: int = 1, placement_groups: int = 8) -> str:
        """Make a pool ready for RBD and give its name. Every test module takes its own."""
        import rbd

        name = name or f"pool-{uuid.uuid4().hex[:12]}"
        with self.connected() as handle:
            monitor_command(
                handle,
                "osd pool create",
                pool=name,
                pg_num=placement_groups,
                size=replicas,
                yes_i_really_mean_it=True,
            )
            if replicas > 1:
                monitor_command(handle, "osd pool set", pool=name, var="min_size", val="1")
            with handle.open_ioctx(name) as ioctx:
                rbd.RBD().pool_init(ioctx, True)
        return name

    def delete_pool(self, name: str) -> None:
        self.command("osd pool delete", pool=name, pool2=name, yes_i_really_really_mean_it=True)

    def pid(self, daemon: str) -> int:
        """The process of `mon`, `mgr` or `osd.<id>`."""
        return int((self.directory / f"{daemon}.pid").read_text())

    def pause(self, *daemons: str) -> None:
        """SIGSTOP: the daemons keep their sockets but answer nothing."""
        for daemon in daemons:
            os.kill(self.pid(daemon), signal.SIGSTOP)

    def resume(self, *daemons: str) -> None:
        for daemon in daemons:
            os.kill(self.pid(daemon), signal.SIGCONT)

    @contextlib.contextmanager
    def paused_osds(self) -> Iterator[None]:
        """All OSDs stopped, so that no pool answers; the monitor still does."""
        names = [f"osd.{osd}" for osd in OSD_IDS]
        self.pause(*names)
        try:
            yield
        finally:
            self.resume(*names)

    def stop(self, daemon: str) -> None:
        """End a daemon for good, with SIGKILL, until `start` brings it back."""
        pid = self.pid(daemon)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _alive(pid), 20, f"{daemon} does not end")

    def start(self, daemon: str) -> None:
        """Have the supervisor start a stopped daemon again, and wait for its process."""
        before = self.pid(daemon)
        (self.directory / "requests" / daemon).touch()
        wait_until(lambda: self.pid(daemon) != before, 20, f"{daemon} does not start")


def monitor_command(handle: Any, prefix: str, **arguments: object) -> Any:
    request = json.dumps({"prefix": prefix, "format": "json", **arguments})
    code, out, status = handle.mon_command(request, b"")
    if code != 0:
        raise RuntimeError(f"ceph {prefix}: {status} ({code})")
    return json.loads(out) if out.strip() else None


def wait_until(condition: Callable[[], object], seconds: float, complaint: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(complaint)
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class _Supervisor:
    """Starts the daemons, starts stopped ones again on request, and ends with the last user.

    `setpriv --pdeathsig KILL` ties each daemon to this process in the kernel, so not even a SIGKILL of the
    supervisor leaves one behind.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cluster = Cluster(directory=directory)
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def bring_up(self) -> None:
        fsid = str(uuid.uuid4())
        port = _free_port()
        self.cluster.conf.write_text(
            CONFIGURATION.format(fsid=fsid, port=port, directory=self.directory, osd_bytes=OSD_BYTES)
        )
        for name in ("run", "requests", "mon", "mgr", *(f"osd.{osd}" for osd in OSD_IDS)):
            (self.directory / name).mkdir()
        self._make_keyring()
        osd_uuids = {osd: str(uuid.uuid4()) for osd in OSD_IDS}
        formatting = [
            subprocess.Popen(self._osd_command(osd, "--mkfs", "--osd-uuid", osd_uuids[osd]))
            for osd in OSD_IDS
        ]
        monmap = str(self.directory / "monmap")
        address = f"[v2:127.0.0.1:{port}]"
        _run(
            "monmaptool",
            "--create",
            "--addv",
            "a",
            address,
            "--fsid",
            fsid,
            "--set-min-mon-release",
            "16",
            monmap,
        )
        keyring = str(self.cluster.keyring)
        _run(
            "ceph-mon",
            "--mkfs",
            "-i",
            "a",
            "-c",
            str(self.cluster.conf),
            "--monmap",
            monmap,
            "--keyring",
            keyring,
        )
        self.launch("mon")
        self.launch("mgr")
        with self.cluster.connected() as handle:
            for osd in OSD_IDS:
                monitor_command(handle, "osd new", uuid=osd_uuids[osd], id=osd)
            for process in formatting:
                if process.wait() != 0:
                    raise RuntimeError("ceph-osd --mkfs failed")
            for osd in OSD_IDS:
                self.launch(f"osd.{osd}")
            wait_until(lambda: self._healthy(handle), START_SECONDS, "the OSDs or the manager do not come up")

    def launch(self, daemon: str) -> None:
        kind, _, osd = daemon.partition(".")
        arguments = {
            "mon": ["ceph-mon", "-i", "a", "-c", str(self.cluster.conf)],
            "mgr": ["ceph-mgr", "-i", "a", "-c", str(self.cluster.conf)],
            "osd": self._osd_command(int(osd or 0)),
        }[kind]
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *arguments, "--foreground"])
        self.daemons[daemon] = process
        partial = self.directory / f"{daemon}.pid.new"
        partial.write_text(str(process.pid))
        partial.rename(self.directory / f"{daemon}.pid")

    def serve(self) -> None:
        """Until nobody holds the users lock: reap ended daemons, and start those asked for."""
        (self.directory / "ready").touch()
        users = os.open(self.directory / "users.lock", os.O_RDWR)
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                (self.directory / "ready").unlink()
                return
            for process in self.daemons.values():
                process.poll()
            for request in (self.directory / "requests").iterdir():
                request.unlink()
                self.launch(request.name)
            time.sleep(0.1)

    def bring_down(self) -> None:
        # The data is thrown away, so nothing is gained by letting the daemons end in order.
        for process in self.daemons.values():
            process.kill()
        for process in self.daemons.values():
            process.wait()
        # Renamed first: a directory of this name is a cluster, and never half of one.
        doomed = self.directory.with_name(f"{self.directory.name}.{os.getpid()}.doomed")
        self.directory.rename(doomed)
        shutil.rmtree(doomed)

    def _make_keyring(self) -> None:
        full = ("--cap", "mon", "allow *", "--cap", "mgr", "allow *", "--cap", "osd", "allow *")
        keyring = str(self.cluster.keyring)
        _run(
            "ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"
        )
        _run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *full)
        _run("ceph-authtool", keyring, "--gen-key", "-n", "mgr.a", *full)
        for osd in OSD_IDS:
            _run("ceph-authtool", keyring, "--gen-key", "-n", f"osd.{osd}", *full)

    def _osd_command(self, osd: int, *arguments: str) -> list[str]:
        return ["ceph-osd", "-i", str(osd), "-c", str(self.cluster.conf), *arguments]

    def _healthy(self, handle: Any) -> bool:
        osds = monitor_command(handle, "osd stat")
        manager = monitor_command(handle, "mgr stat")
        ended = [name for name, process in self.daemons.items() if process.poll() is not None]
        if ended:
            raise RuntimeError(f"ended at once: {', '.join(ended)}; see the logs in {self.directory}")
        return osds["num_up_osds"] == osds["num_in_osds"] == len(OSD_IDS) and manager["available"]


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _free_port() -> int:
    """Below the range that the kernel gives to outgoing connections, so that none takes it meanwhile."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _supervise(directory: Path) -> None:
    supervisor = _Supervisor(directory)

    def end(*_: object) -> None:
        raise SystemExit(1)

    signal.signal(signal.SIGTERM, end)
    try:
        supervisor.bring_up()
        supervisor.serve()
    finally:
        supervisor.bring_down()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Run the daemons of one test cluster until its users are gone."
    )
    parser.add_argument("directory", type=Path)
    _supervise(parser.parse_args().directory)
