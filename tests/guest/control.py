"""Control of a running guest of tools/guest, over its port `org.stratal.test.0`.

    <channel type='unix'><source mode='bind' path='…'/>
      <target type='virtio' name='org.stratal.test.0'/></channel>

Every method has a deadline, raises GuestSilent when the guest does not answer in time, and GuestRefused when
it says that it could not. Paths are those of the guest. Several threads may use one object.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Self, TypeVar

import msgspec

from guest import answers
from guest.wire import GuestRefused, GuestSilent, Wire

__all__ = [
    "AGENT_PORT",
    "BOOT_SECONDS",
    "CONTROL_PORT",
    "GuestControl",
    "GuestRefused",
    "GuestSilent",
    "HostGap",
]

CONTROL_PORT = "org.stratal.test.0"
AGENT_PORT = "org.qemu.guest_agent.0"
#: For a boot on a machine that is busy with other tests; on an idle one it takes a tenth of it.
BOOT_SECONDS = 90.0

_SECONDS = 20.0
_BULK_SECONDS = 120.0

A = TypeVar("A", bound=answers.Answer)
T = TypeVar("T")


class HostGap(msgspec.Struct):
    """Heartbeats as they came in, by the host's clock, which goes on while a machine is paused."""

    beats: int = 0
    last_number: int = -1
    last_seconds: float = 0.0
    largest_gap_seconds: float = 0.0


class GuestControl:
    """The host's end of the port; `socket_path` is QEMU's listening socket, and may not be there yet."""

    def __init__(self, socket_path: Path) -> None:
        self._wire = Wire(socket_path, self._event)
        self._lock = threading.Lock()
        self._gaps: dict[str, HostGap] = {}

    def close(self) -> None:
        """Let go of the port; the guest and its heartbeats go on. Idempotent."""
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # The guest as a whole

    def wait_ready(self, seconds: float = BOOT_SECONDS, *, after_boot: str | None = None) -> answers.Hello:
        """Wait until the guest answers; with `after_boot`, until it does in another boot than that."""

        def ready() -> answers.Hello | None:
            try:
                hello = self._ask(answers.Hello, "hello", seconds=2)
            except GuestSilent:
                return None
            return None if hello.boot_id == after_boot else hello

        return self._until(ready, seconds, "the guest does not come up")

    def hello(self, seconds: float = _SECONDS) -> answers.Hello:
        return self._ask(answers.Hello, "hello", seconds=seconds)

    def machine(self) -> answers.Machine:
        return self._ask(answers.Machine, "machine")

    def run(self, command: str, seconds: float = _SECONDS) -> answers.Ran:
        """A line for the guest's shell. GuestRefused when it takes longer, and it is killed then."""
        return self._ask(answers.Ran, "run", int(seconds * 1000), command, seconds=seconds + 10)

    def sync(self, seconds: float = _SECONDS) -> None:
        self._ask(answers.Nothing, "sync", seconds=seconds)

    def reboot(self) -> None:
        """Unmount everything and restart. Returns at once: `wait_ready(after_boot=…)`."""
        self._ask(answers.Nothing, "reboot")

    def poweroff(self) -> None:
        """Unmount everything and switch the machine off. Returns at once."""
        self._ask(answers.Nothing, "poweroff")

    def panic(self) -> None:
        """Make the kernel panic, which a pvpanic device tells the host."""
        self._ask(answers.Nothing, "panic")

    def power_button(self, act: Literal["ask", "obey", "ignore"] = "ask") -> answers.PowerButton:
        """What a press of the power button does, and how often it was pressed since the boot."""
        return self._ask(answers.PowerButton, "power-button", act)

    def agent(self, act: Literal["ask", "run", "off", "hang", "stuck"] = "ask") -> answers.Agent:
        """The guest agent's mode: `hang` never answers, `stuck` answers but never ends a freeze.

        Changing it to off or hang kills the agent, and leaves what it had frozen frozen.
        """
        return self._ask(answers.Agent, "agent", act)

    # What is on a disk or in a file

    def write_pattern(
        self, path: str, seed: int, offset: int, length: int, seconds: float = _BULK_SECONDS
    ) -> answers.Written:
        """Write `pattern(seed, offset, length)`; durable when this returns."""
        return self._ask(answers.Written, "pattern-write", path, seed, offset, length, seconds=seconds)

    def verify_pattern(
        self, path: str, seed: int, offset: int, length: int, seconds: float = _BULK_SECONDS
    ) -> answers.Verdict:
        """Compare a range, read past the page cache, with the pattern."""
        return self._ask(answers.Verdict, "pattern-verify", path, seed, offset, length, seconds=seconds)

    def sha256(self, path: str, offset: int, length: int, seconds: float = _BULK_SECONDS) -> str:
        return self._ask(answers.Hash, "hash", path, offset, length, seconds=seconds).sha256

    def write_file(self, path: str, text: str, seconds: float = _SECONDS) -> None:
        """A file in place of what was there; durable, with its name, when this returns."""
        self._ask(answers.Nothing, "file-write", path, text, seconds=seconds)

    def read_file(self, path: str) -> str:
        return self._ask(answers.Text, "file-read", path).text

    # Heartbeats

    def start_beat(
        self,
        name: str,
        path: str,
        *,
        offset: int = 0,
        length: int = 4 << 20,
        interval_seconds: float = 0.005,
        flush: bool = False,
        echo: bool = False,
    ) -> answers.Beating:
        """Keep writing numbered, timed blocks of 4 KiB round and round in a range.

        `flush` makes each durable before the next. `echo` also sends each to the host, for `host_gap`.
        """
        with self._lock:
            self._gaps[name] = HostGap()
        interval = int(interval_seconds * 1e6)
        return self._ask(
            answers.Beating, "beat-start", name, path, offset, length, interval, int(flush), int(echo)
        )

    def beat(self, name: str, *, mark: bool = False, seconds: float = _SECONDS) -> answers.Beating:
        """How it goes. `mark` forgets the largest gap, so that the next report is about what comes after."""
        if mark:
            with self._lock:
                gap = self._gaps.get(name, HostGap())
                self._gaps[name] = HostGap(last_number=gap.last_number, last_seconds=gap.last_seconds)
        return self._ask(answers.Beating, "beat-report", name, int(mark), seconds=seconds)

    def stop_beat(self, name: str, seconds: float = _SECONDS) -> answers.Beating:
        return self._ask(answers.Beating, "beat-stop", name, seconds=seconds)

    def read_beats(
        self, path: str, *, offset: int = 0, length: int = 4 << 20, run: int = 0
    ) -> answers.BeatsFound:
        """What beats of one series a disk holds; without `run`, of the one whose last beat is the latest."""
        return self._ask(answers.BeatsFound, "beat-read", path, offset, length, run, seconds=_BULK_SECONDS)

    def host_gap(self, name: str) -> HostGap:
        """What has come in of an echoed series. The guest's clock stops with it, this one does not."""
        with self._lock:
            gap = self._gaps.get(name, HostGap())
            return HostGap(gap.beats, gap.last_number, gap.last_seconds, gap.largest_gap_seconds)

    # Devices

    def devices(self) -> list[answers.Device]:
        return self._ask(answers.Devices, "devices").devices

    def wait_device(
        self, serial: str, seconds: float = _SECONDS, *, size_bytes: int | None = None
    ) -> answers.Device:
        """The disk with this serial number, once it is there (and has that size)."""

        def there() -> answers.Device | None:
            found = [device for device in self.devices() if device.serial == serial]
            fits = found and size_bytes in (None, found[0].size_bytes)
            return found[0] if fits else None

        return self._until(there, seconds, f"no disk {serial} of {size_bytes or 'any'} bytes")

    def wait_no_device(self, serial: str, seconds: float = _SECONDS) -> None:
        def gone() -> bool | None:
            return None if any(device.serial == serial for device in self.devices()) else True

        self._until(gone, seconds, f"the disk {serial} stays")

    def nics(self) -> list[answers.Nic]:
        return self._ask(answers.Nics, "nics").nics

    def wait_nic(self, mac: str, seconds: float = _SECONDS, *, address: bool = False) -> answers.Nic:
        """The interface with this MAC address, once it is there (and has an IPv4 address)."""

        def there() -> answers.Nic | None:
            found = [nic for nic in self.nics() if nic.mac == mac.lower()]
            return found[0] if found and (found[0].ipv4 or not address) else None

        return self._until(there, seconds, f"no interface {mac}{' with an address' if address else ''}")

    def rescan(self) -> None:
        """Look for new devices and sizes on SCSI and PCI buses."""
        self._ask(answers.Nothing, "rescan")

    def eject(self, path: str) -> None:
        """Open a drive's tray, as a user of the guest would."""
        self._ask(answers.Nothing, "eject", path)

    # File systems

    def make_filesystem(self, path: str, label: str = "test") -> None:
        """ext4, with a journal."""
        self._shell(f"/sbin/mke2fs -q -F -t ext4 -L {label} {path}")

    def check_filesystem(self, path: str) -> answers.Ran:
        """e2fsck without changing anything: code 0 is a clean one."""
        return self.run(f"/sbin/e2fsck -n -f {path}", 60)

    def mount(self, path: str, folder: str, kind: str = "ext4") -> None:
        """Makes the folder; idempotent."""
        self._ask(answers.Nothing, "mount", path, folder, kind)

    def unmount(self, folder: str) -> None:
        self._ask(answers.Nothing, "unmount", folder)

    def frozen(self, folder: str, seconds: float = 1.0) -> bool:
        """Whether a small durable write there takes longer than that."""
        return self._ask(answers.Frozen, "frozen", folder, int(seconds * 1000)).frozen

    def ping(self, address: str, seconds: int = 5) -> bool:
        return self.run(f"ping -c 1 -W {seconds} {address}", seconds + 5).code == 0

    def _shell(self, command: str) -> None:
        ran = self.run(command, 60)
        if ran.code:
            raise GuestRefused(f"{command}: {ran.output}")

    def _ask(self, kind: type[A], verb: str, *arguments: str | int, seconds: float = _SECONDS) -> A:
        return msgspec.json.decode(self._wire.ask(verb, arguments, seconds), type=kind)

    def _until(self, look: Callable[[], T | None], seconds: float, otherwise: str) -> T:
        deadline = time.monotonic() + seconds
        while True:
            found = look()
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise GuestSilent(f"{otherwise}, after {seconds:.0f} s")
            time.sleep(0.1)

    def _event(self, words: list[str]) -> None:
        if len(words) != 4 or words[0] != "beat":
            return
        now = time.monotonic()
        with self._lock:
            gap = self._gaps.setdefault(words[1], HostGap())
            if gap.last_number >= 0:
                gap.largest_gap_seconds = max(gap.largest_gap_seconds, now - gap.last_seconds)
            gap.beats += 1
            gap.last_number = int(words[2])
            gap.last_seconds = now
