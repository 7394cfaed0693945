"""A real Stratal server in a process of its own, and a client that is logged in to it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

STARTUP_SECONDS = 60.0
_PASSWORD = re.compile(r"^\s+admin\s+(\S+)$", re.MULTILINE)
CHEAP_HASHING = {
    "STRATAL_IDENTITY__ARGON2_TIME_COST": "1",
    "STRATAL_IDENTITY__ARGON2_MEMORY_COST_KIB": "64",
}


@dataclass
class RunningServer:
    """The process and where it listens."""

    process: "subprocess.Popen[bytes]"
    directory: Path
    url: str
    #: the administrator's password; empty when the database was there before
    password: str

    def log_lines(self) -> list[dict[str, Any]]:
        return [
            json.loads(line) for line in (self.directory / "log").read_text().splitlines() if line[:1] == "{"
        ]

    def client(self, name: str = "admin", password: str | None = None, **spec: object) -> "Client":
        """A client that has logged in."""
        client = Client(self.url)
        client.log_in(name, self.password if password is None else password, **spec)
        return client

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Client(httpx.Client):
    """An HTTP client of the NeutonOS face."""

    def __init__(self, url: str) -> None:
        super().__init__(base_url=url, timeout=30.0)

    def log_in(self, name: str, password: str, **spec: object) -> dict[str, Any]:
        answer = self.post("/tokens/:login", json={"spec": {"name": name, "password": password, **spec}})
        assert answer.status_code == 201, answer.text
        self.headers["x-sddc-token"] = answer.json()["uuid"]
        return answer.json()

    def create(self, plural: str, **spec: object) -> dict[str, Any]:
        """Create a resource and wait until it is active."""
        answer = self.post(f"/{plural}/", json={"spec": spec})
        assert answer.status_code == 202, answer.text
        return self.settled(plural, answer.json()["metadata"]["id"])

    def settled(self, plural: str, id: int, seconds: float = 20.0) -> dict[str, Any]:
        """The resource, once it is active."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.get(f"/{plural}/{id}").json()
            if found["metadata"]["state"]["state"] == "active":
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    def gone(self, plural: str, id: int, seconds: float = 20.0) -> None:
        """Wait until the resource is no more."""
        deadline = time.monotonic() + seconds
        while self.get(f"/{plural}/{id}").status_code != 404:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@contextmanager
def running_server(
    directory: Path, *, database_url: str | None = None, environment: dict[str, str] | None = None
) -> Iterator[RunningServer]:
    """Start `stratal serve` on a free port and end it again."""
    directory.mkdir(parents=True, exist_ok=True)
    arguments = [
        sys.executable,
        "-m",
        "stratal",
        "serve",
        "--port",
        "0",
        "--data-directory",
        str(directory / "data"),
    ]
    if database_url is not None:
        arguments += ["--database-url", database_url]
    variables = {**os.environ, **CHEAP_HASHING, "STRATAL_METRICS_LISTEN": "", **(environment or {})}
    with (directory / "log").open("wb") as log, (directory / "out").open("wb") as out:
        process = subprocess.Popen(arguments, stdout=out, stderr=log, stdin=subprocess.DEVNULL, env=variables)
    try:
        url = _wait_until_listening(process, directory)
        found = _PASSWORD.search((directory / "out").read_text())
        yield RunningServer(process, directory, url, found[1] if found else "")
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_listening(process: "subprocess.Popen[bytes]", directory: Path) -> str:
    deadline = time.monotonic() + STARTUP_SECONDS
    while time.monotonic() < deadline:
        text = (directory / "log").read_text()
        for line in text.splitlines():
            if '"event": "listening"' in line or '"event":"listening"' in line:
                url = str(json.loads(line)["address"]).rstrip("/")
                try:
                    httpx.get(url + "/openapi.json")
                except httpx.TransportError:
                    break
                return url
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}:\n{text}")
        time.sleep(0.05)
    raise TimeoutError(f"the server does not listen:\n{(directory / 'log').read_text()}")
