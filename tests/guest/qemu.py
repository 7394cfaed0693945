"""A machine that is nothing but a QEMU process, for tests of the guest itself."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from guest.control import AGENT_PORT, CONTROL_PORT, GuestControl

PROGRAM = "qemu-system-x86_64"
_SECONDS = 20.0


class QemuFailed(Exception):
    """QEMU ended, or refused a command."""


def why_not() -> str | None:
    return None if shutil.which(PROGRAM) else f"{PROGRAM} is not installed; tools/setup test installs it"


class Conversation:
    """JSON lines over a Unix socket, as QMP and the guest agent speak."""

    def __init__(self, path: Path, seconds: float = _SECONDS) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(seconds)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")
        #: Events that came in while something else was waited for.
        self.events: list[dict[str, Any]] = []

    def call(self, name: str, /, **arguments: Any) -> Any:
        self._socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        while True:
            message = self.receive()
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise QemuFailed(f"{name}: {message['error']['desc']}")
            elif "return" in message:
                return message["return"]

    def wait_event(self, name: str) -> dict[str, Any]:
        while not any(event["event"] == name for event in self.events):
            message = self.receive()
            if "event" in message:
                self.events.append(message)
        found = next(event for event in self.events if event["event"] == name)
        self.events.remove(found)
        return found

    def receive(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise QemuFailed("the connection ended")
        message: dict[str, Any] = json.loads(line.lstrip(b"\xff"))
        return message

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Qemu:
    """A running QEMU with the guest's ports, a panic device and a monitor."""

    def __init__(self, directory: Path, *arguments: str | Path, memory_mib: int = 256) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.console = directory / "console.log"
        self.control_socket, self.agent_socket = directory / "control", directory / "agent"
        monitor = directory / "monitor"
        command = [PROGRAM, "-accel", "tcg", "-m", str(memory_mib), "-nodefaults", "-display", "none"]
        command += ["-serial", f"file:{self.console}", "-device", "pvpanic", "-device", "virtio-serial-pci"]
        for name, path in ((CONTROL_PORT, self.control_socket), (AGENT_PORT, self.agent_socket)):
            command += ["-chardev", f"socket,id={path.name},path={path},server=on,wait=off"]
            command += ["-device", f"virtserialport,chardev={path.name},name={name}"]
        command += ["-qmp", f"unix:{monitor},server=on,wait=off", *map(str, arguments)]
        self._errors = (directory / "errors.log").open("w+b")
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=self._errors)
        self._wait_for(monitor)
        self.monitor = Conversation(monitor)
        self.monitor.receive()
        self.monitor.call("qmp_capabilities")
        self.control = GuestControl(self.control_socket)

    def _wait_for(self, path: Path) -> None:
        deadline = time.monotonic() + _SECONDS
        while not path.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self._errors.seek(0)
                raise QemuFailed(f"QEMU did not start: {self._errors.read().decode()}")
            time.sleep(0.02)

    def agent(self, seconds: float = _SECONDS) -> Conversation:
        """A conversation with the guest agent, which answers to `guest-sync` first when it is there."""
        conversation = Conversation(self.agent_socket, seconds)
        try:
            if conversation.call("guest-sync", id=4711) != 4711:
                raise QemuFailed("the agent answered something else")
        except BaseException:
            conversation.close()
            raise
        return conversation

    @contextlib.contextmanager
    def stopped_process(self, seconds: float) -> Iterator[None]:
        """The whole QEMU stands still for that long, as on a host that is overloaded."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(seconds)
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def wait_end(self, seconds: float = 30.0) -> int:
        return self.process.wait(seconds)

    def close(self) -> None:
        self.control.close()
        self.monitor.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._errors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
