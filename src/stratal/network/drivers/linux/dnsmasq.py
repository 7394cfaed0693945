"""dnsmasq as a process: its files, starting, finding, stopping. Called by `dhcp`.

A service has a directory of its own. The configuration is a file that is named by its digest, so the command
line of a running dnsmasq says by which one it runs; that is also how it is found, whatever was killed.
"""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stratal.kernel.effects import Effect
from stratal.network.drivers.contract import DhcpWanted
from stratal.network.drivers.errors import NetworkUnavailable, NotSupported

CONFIGURE = Effect("linux.dhcp.configure")
START = Effect("linux.dhcp.start")
STOP = Effect("linux.dhcp.stop")
TELL = Effect("linux.dhcp.tell")
FORGET = Effect("linux.dhcp.forget")

INTERFACE: Final = "eth0"
"""The name of its end of the cable, inside its namespace."""

_LEASE: Final = "1h"
_MOST_LEASES: Final = 65536
_PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Lease:
    mac: str
    address: str


class Dnsmasq:
    """The DHCP server of one network."""

    def __init__(self, directory: Path, namespace: Path) -> None:
        self._directory = directory
        self._namespace = namespace
        self._hosts = directory / "hosts"
        #: there from before the hosts change until dnsmasq was told so
        self._untold = directory / "hosts.untold"
        self._leases = directory / "leases"
        self._pid = directory / "pid"

    @property
    def is_running(self) -> bool:
        return bool(self._processes(quick=True))

    def run(self, wanted: DhcpWanted) -> None:
        """Have it run as wanted, and know the guests that are wanted. Idempotent."""
        text = self._configuration(wanted)
        configuration = self._directory / f"conf-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        hosts = "".join(
            f"{mac},{address}\n" if address else f"{mac}\n" for mac, address in sorted(wanted.guests.items())
        )
        self._write_files(configuration, text, hosts)
        running = self._processes(quick=True)
        strangers = [lease for lease in self.leases() if not _is_of(lease, wanted)]
        right = len(running) == 1 and str(configuration) in " ".join(_command(running[0]))
        if strangers or not right:
            # it keeps leases in memory: to have it forget some, it must be started anew
            self.stop()
            self._forget(strangers)
            self._start(configuration)
        elif self._untold.exists():
            with TELL:
                os.kill(running[0], signal.SIGHUP)
        if self._untold.exists():
            with TELL:
                self._untold.unlink()

    def stop(self) -> None:
        """End it, and wait until it has ended. Idempotent."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while processes := self._processes():
            with STOP:
                for process in processes:
                    late = time.monotonic() > deadline - _PATIENCE_SECONDS / 2
                    _signal(process, signal.SIGKILL if late else signal.SIGTERM)
            if time.monotonic() > deadline:
                raise NetworkUnavailable(reason=f"dnsmasq (process {processes[0]}) does not end")
            time.sleep(0.005)

    def remove(self) -> None:
        """End it, and remove its files, its leases among them. Idempotent."""
        self.stop()
        if self._directory.exists():
            with FORGET:
                shutil.rmtree(self._directory, ignore_errors=True)

    def leases(self) -> list[Lease]:
        try:
            lines = self._leases.read_text().splitlines()
        except OSError:
            return []
        parts = [line.split() for line in lines]
        now = time.time()
        # expiry, MAC, address, name, client id; an expiry of 0 never comes
        return [
            Lease(mac=each[1].lower(), address=each[2])
            for each in parts
            if len(each) == 5 and each[0].isdecimal() and (each[0] == "0" or int(each[0]) > now)
        ]

    # -- files ---------------------------------------------------------------------------------------

    def _configuration(self, wanted: DhcpWanted) -> str:
        subnet = wanted.address.network
        lines = [
            "port=0",
            f"interface={INTERFACE}",
            "except-interface=lo",
            "bind-interfaces",
            "no-hosts",
            "no-resolv",
            f"user={_user()}",
            f"pid-file={self._pid}",
            f"dhcp-leasefile={self._leases}",
            f"dhcp-hostsfile={self._hosts}",
            f"dhcp-lease-max={_MOST_LEASES}",
            f"dhcp-range={subnet[1]},{subnet[-2]},{subnet.netmask},{_LEASE}",
            "dhcp-authoritative",
            # a network may have other machines, which are none of ours
            "dhcp-ignore=tag:!known",
            f"dhcp-option=option:router{_listed(wanted.gateway)}",
            f"dhcp-option=option:dns-server{_listed(*wanted.dns_servers)}",
            f"dhcp-option=option:mtu,{wanted.mtu}",
        ]
        if wanted.gateway is not None:
            # it gives away no address that it keeps for a host; this one must never be a guest's
            lines.append(f"dhcp-host=02:00:00:00:00:00,{wanted.gateway},ignore")
        return "\n".join(lines) + "\n"

    def _write_files(self, configuration: Path, text: str, hosts: str) -> None:
        if _content(configuration) != text:
            with CONFIGURE:
                self._directory.mkdir(mode=0o755, parents=True, exist_ok=True)
                for old in self._directory.glob("conf-*"):
                    old.unlink(missing_ok=True)
                _write(configuration, text)
        if _content(self._hosts) != hosts:
            with CONFIGURE:
                self._untold.touch()
                _write(self._hosts, hosts)

    def _forget(self, strangers: list[Lease]) -> None:
        gone = {lease.address for lease in strangers}
        if gone:
            lines = self._leases.read_text().splitlines(keepends=True)
            with FORGET:
                _write(self._leases, "".join(line for line in lines if line.split()[2:3][0] not in gone))

    # -- processes -----------------------------------------------------------------------------------

    def _start(self, configuration: Path) -> None:
        program = shutil.which("dnsmasq", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if program is None:
            raise NotSupported(what="a DHCP service", reason="dnsmasq is not installed")
        command = ["nsenter", f"--net={self._namespace}", program, f"--conf-file={configuration}"]
        with START:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_PATIENCE_SECONDS,
                start_new_session=True,
            )
        if done.returncode != 0:
            raise NetworkUnavailable(reason=f"dnsmasq does not start: {done.stderr.strip()[:500]}")

    def _processes(self, *, quick: bool = False) -> list[int]:
        """Whatever runs by our files: dnsmasq, or what is about to become it.

        With `quick`, trust the file that names the process, if that is right.
        """
        if quick:
            named = _content(self._pid)
            if named is not None and named.strip().isdecimal() and self._is_ours(int(named)):
                return [int(named)]
        return [int(each) for each in os.listdir("/proc") if each.isdecimal() and self._is_ours(int(each))]

    def _is_ours(self, process: int) -> bool:
        return any(part.startswith(f"--conf-file={self._directory}/conf-") for part in _command(process))


def _is_of(lease: Lease, wanted: DhcpWanted) -> bool:
    """Whether the lease is what a guest of this network is to have."""
    if lease.mac not in wanted.guests:
        return False
    address = wanted.guests[lease.mac]
    return address is None or str(address) == lease.address


def _user() -> str:
    """Whom dnsmasq turns into once it has its sockets."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    try:
        return pwd.getpwnam("dnsmasq").pw_name
    except KeyError:
        return "nobody"


def _listed(*addresses: object) -> str:
    """Values of an option; without any, guests are told nothing, instead of dnsmasq's own address."""
    return "".join(f",{address}" for address in addresses if address is not None)


def _command(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return


def _content(file: Path) -> str | None:
    try:
        return file.read_text()
    except OSError:
        return None


def _write(file: Path, text: str) -> None:
    """Replace a file as a whole; its reader is another user."""
    new = file.with_name(file.name + ".new")
    new.write_text(text)
    new.chmod(0o644)
    new.replace(file)
