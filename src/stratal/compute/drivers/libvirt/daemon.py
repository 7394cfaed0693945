"""A libvirtd of Stratal's own, with its own directories. Called by `link`.

The daemon outlives us, and QEMU outlives the daemon. It is started again whenever it does not answer, and
finds its machines by what lies in its directories. As root it runs in a mount namespace of its own, where the
places that libvirt has compiled in are ours; as anybody else it runs in libvirt's session mode, whose places
the environment names.
"""

import fcntl
import os
import pwd
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from stratal.compute.drivers.errors import HypervisorUnavailable
from stratal.kernel.effects import Effect

_START = Effect("libvirt.daemon")

_START_SECONDS = 60.0
_SETTINGS = """\
listen_tls = 0
listen_tcp = 0
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_rw_perms = "0700"
unix_sock_ro_perms = "0700"
max_clients = 100
max_client_requests = 100
min_workers = 4
max_workers = 100
# A connection whose owner was stopped for a while is not cut.
keepalive_interval = -1
log_level = 3
"""
# No systemd, no cgroups and no security module are needed; files belong to whom they belong.
_QEMU_SETTINGS = """\
stdio_handler = "file"
cgroup_controllers = []
namespaces = []
security_driver = "none"
remember_owner = 0
"""
_QEMU_SETTINGS_OF_ROOT = """\
user = "root"
group = "root"
dynamic_ownership = 0
"""
# libvirt does not start without this user, even where it is told to use another one.
_DEFAULT_USER = "libvirt-qemu"
_PLACES = {
    "run": "/run/libvirt",
    "lib": "/var/lib/libvirt",
    "etc": "/etc/libvirt",
    "log": "/var/log/libvirt",
    "cache": "/var/cache/libvirt",
}
# Arguments: pairs of what to bind and where, then "--" and the command.
_IN_NAMESPACE = """\
set -e
while [ "$1" != -- ]; do
    mount --bind "$1" "$2"
    shift 2
done
shift
exec "$@"
"""


class Daemon:
    """The libvirtd whose directories lie in one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._root = os.geteuid() == 0

    @property
    def exists(self) -> bool:
        """Whether it has ever been started."""
        return (self._directory / "run").exists()

    @property
    def uri(self) -> str:
        sockets = self._directory / "run" if self._root else self._directory / "run" / "libvirt"
        mode = "system" if self._root else "session"
        return f"qemu+unix:///{mode}?socket={sockets / 'libvirt-sock'}"

    @property
    def sockets(self) -> Path | None:
        """For guest agents. As root libvirt's own places, which are bound, have short paths."""
        return None if self._root or not self.exists else self._directory / "s"

    @property
    def pid(self) -> int | None:
        """Of the daemon that ran last."""
        folder = self._directory / "run"
        try:
            return int((folder if self._root else folder / "libvirt").joinpath("libvirtd.pid").read_text())
        except (OSError, ValueError):
            return None

    def start(self) -> None:
        """Start it unless it runs. Returns when it answers, or may soon; raises HypervisorUnavailable."""
        with _START:
            self._prepare()
            with (self._directory / "lock").open("w") as lock:
                self._take(lock.fileno())
                if not self._is_running():
                    self._run()

    def _take(self, lock: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise HypervisorUnavailable(reason="another process is starting libvirtd") from None
                time.sleep(0.05)

    def _is_running(self) -> bool:
        pid = self.pid
        if pid is None:
            return False
        try:
            return b"libvirtd" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    def _prepare(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._directory.chmod(0o711)
            for name in _PLACES:
                (self._directory / name).mkdir(exist_ok=True)
            (self._directory / "s").mkdir(exist_ok=True)
            (self._directory / "run").chmod(0o755 if self._root else 0o700)
            settings = self._directory / "etc" if self._root else self._directory / "etc" / "libvirt"
            settings.mkdir(exist_ok=True)
            log = f'log_outputs = "3:file:{self._directory / "log" / "libvirtd.log"}"\n'
            (settings / "libvirtd.conf").write_text(_SETTINGS + log)
            own = _QEMU_SETTINGS_OF_ROOT if self._root else ""
            (settings / "qemu.conf").write_text(_QEMU_SETTINGS + own)
        except OSError as error:
            raise HypervisorUnavailable(reason=f"libvirtd's directories: {error}") from error

    def _run(self) -> None:
        command, environment = self._as_root() if self._root else self._as_user()
        try:
            process = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=(output := (self._directory / "log" / "start.log").open("wb")),
                env={"LC_ALL": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
                cwd="/",
                start_new_session=True,
                timeout=_START_SECONDS,
                check=False,
            )
            output.close()
        except OSError as error:
            raise HypervisorUnavailable(reason=f"libvirtd can't be started: {error.strerror}") from error
        except subprocess.TimeoutExpired as error:
            raise HypervisorUnavailable(reason="libvirtd did not start in time") from error
        if process.returncode:
            raise HypervisorUnavailable(reason=f"libvirtd did not start: {self._said()}")

    def _as_root(self) -> tuple[Sequence[str], Mapping[str, str]]:
        binds: list[str] = []
        for name, place in _PLACES.items():
            Path(place).mkdir(parents=True, exist_ok=True)
            binds += [str(self._directory / name), place]
        try:
            pwd.getpwnam(_DEFAULT_USER)
        except KeyError:
            for name, line in (
                ("passwd", f"{_DEFAULT_USER}:x:64055:64055::/nonexistent:/usr/sbin/nologin\n"),
                ("group", f"{_DEFAULT_USER}:x:64055:\n"),
            ):
                (self._directory / name).write_text(Path("/etc", name).read_text() + line)
                binds += [str(self._directory / name), f"/etc/{name}"]
        # What is mounted later on the host (storage) shows up inside; what is mounted inside stays there.
        command = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", _IN_NAMESPACE, "sh", *binds]
        settings = f"{_PLACES['etc']}/libvirtd.conf"
        daemon = ["libvirtd", "--daemon", "--config", settings, "--pid-file", "/run/libvirt/libvirtd.pid"]
        return [*command, "--", *daemon], {}

    def _as_user(self) -> tuple[Sequence[str], Mapping[str, str]]:
        settings = self._directory / "etc" / "libvirt" / "libvirtd.conf"
        return ["libvirtd", "--daemon", "--config", str(settings)], {
            "XDG_RUNTIME_DIR": str(self._directory / "run"),
            "XDG_CONFIG_HOME": str(self._directory / "etc"),
            "XDG_CACHE_HOME": str(self._directory / "cache"),
            "XDG_DATA_HOME": str(self._directory / "lib"),
            "HOME": str(self._directory),
        }

    def _said(self) -> str:
        """The last that it wrote."""
        lines: list[str] = []
        for name in ("start.log", "libvirtd.log"):
            try:
                lines += (self._directory / "log" / name).read_text(errors="replace").splitlines()
            except OSError:
                continue
        errors = [line for line in lines if "error" in line] or lines
        return errors[-1][-500:] if errors else "it gave no reason"
