"""What the story stands on: a real server, a client that shows what it asks for, and proofs.

The server works in one directory and outlives the demo. A later demo ends the one before it.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

ROOT = Path(__file__).parents[2]

# The guest's end is spoken to as in tests.
sys.path.insert(0, str(ROOT / "tests"))

from guest.control import CONTROL_PORT, GuestControl  # noqa: E402

Resource = dict[str, Any]

_PIECE_BYTES = 4 << 20
_START_SECONDS = 60.0
_WAIT_SECONDS = 120.0
_PASSWORD = re.compile(r"^\s+admin\s+(\S+)$", re.MULTILINE)

console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


class ProofFailed(Exception):
    """Something was not as this demo says it is."""


def prove(condition: object, what: str) -> None:
    """Say it if it is so; ProofFailed if not."""
    if not condition:
        raise ProofFailed(what)
    console.print(f"  [green]✓[/green] {what}")


def tell(what: str) -> None:
    console.print(f"  {what}")


class Stage:
    """The server, who asks it, and what was made so far."""

    def __init__(self, directory: Path, port: int, *, simulated: bool) -> None:
        self.directory, self.port, self.simulated = directory, port, simulated
        self.address = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=f"{self.address}/sddc/v1", timeout=30)
        self.password = ""
        self.ids: dict[str, int] = {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.directory / "data"

    # -- the server ----------------------------------------------------------------------------------

    def prepare(self) -> None:
        """An empty directory; what an earlier demo left running in it is ended."""
        self.end_all()
        shutil.rmtree(self.directory, ignore_errors=True)
        (self.directory / "home").mkdir(parents=True)

    def start(self) -> None:
        command = [sys.executable, "-m", "stratal", "serve", "--port", str(self.port)]
        command += ["--data-directory", str(self.data), *(["--simulate"] if self.simulated else [])]
        environment = {
            **os.environ,
            "STRATAL_METRICS_LISTEN": "",
            "STRATAL_COMPUTE__CHANNELS": CONTROL_PORT,
            "STRATAL_NETWORK__RUN_DIRECTORY": str(self.directory / "run"),
        }
        with (self.directory / "log").open("ab") as log, (self.directory / "out").open("ab") as out:
            self._process = subprocess.Popen(
                command,
                stdout=out,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        (self.directory / "pid").write_text(str(self._process.pid))
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.http.get("/openapi.json", timeout=2)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                found = _PASSWORD.search((self.directory / "out").read_text())
                self.password = found[1] if found else ""
                return
        raise ProofFailed(f"the server does not answer; its log is {self.directory / 'log'}")

    def kill(self) -> None:
        """End the server as a power cut would."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def end_all(self) -> None:
        """End what runs in the directory: the server, its libvirtd and machines, and DHCP services."""
        mark = f"{self.directory}/".encode()
        ended: list[int] = []
        for process in sorted(Path("/proc").iterdir()):
            with suppress(OSError):
                words = (process / "cmdline").read_bytes() if process.name.isdigit() else b""
                if mark in words and int(process.name) != os.getpid():
                    os.kill(int(process.name), signal.SIGTERM)
                    ended.append(int(process.name))
        deadline = time.monotonic() + 30
        while any(_lives(pid) for pid in ended) and time.monotonic() < deadline:
            if self._process is not None:
                self._process.poll()
            time.sleep(0.05)

    # -- the client ----------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        spec: Resource | None = None,
        headers: dict[str, str] | None = None,
        **params: str,
    ) -> Any:
        """Ask the NeutonOS face, and show it."""
        body = None if spec is None else {"spec": spec}
        shown = " ".join(f"{name}={value}" for name, value in params.items())
        started = time.perf_counter()
        answer = self.http.request(method, path, json=body, params=params, headers=headers)
        took = f"[dim]{(time.perf_counter() - started) * 1000:.1f} ms[/dim]"
        console.print(f"  [cyan]{method:6}[/cyan] /sddc/v1{path} {shown} → {answer.status_code}  {took}")
        if answer.is_error:
            raise ProofFailed(answer.text)
        return answer.json() if answer.content else None

    def ask(self, path: str, **spec: object) -> int:
        """POST what is wanted. Returns the id; it may not be so yet."""
        return int(self.call("POST", path, spec)["metadata"]["id"])

    def create(self, plural: str, **spec: object) -> int:
        """Create a resource and wait until it is active."""
        id = self.ask(f"/{plural}/", **spec)
        self.settled(plural, id)
        return id

    def show(self, plural: str, id: int) -> Resource:
        found: Resource = self.http.get(f"/{plural}/{id}").json()
        return found

    def find(self, plural: str, query: str) -> list[Resource]:
        found: list[Resource] = self.http.get(f"/{plural}/", params={"q": query, "limit": "500"}).json()[
            "items"
        ]
        return found

    def settled(self, plural: str, id: int, fits: Callable[[Resource], object] | None = None) -> Resource:
        """The resource, once it is active and as it is to be; shows how long that took."""

        def look() -> Resource | None:
            found = self.show(plural, id)
            active = found["metadata"]["state"]["state"] == "active"
            return found if active and (fits is None or fits(found)) else None

        with waiting(f"{plural} {id}") as until:
            return until(look)

    def delete(self, plural: str, id: int) -> None:
        self.call("DELETE", f"/{plural}/{id}")
        with waiting(f"{plural} {id} to be gone") as until:
            until(lambda: self.http.get(f"/{plural}/{id}").status_code == 404)

    def upload(self, name: str, file: Path, **spec: object) -> int:
        """An image of a file, sent in pieces."""
        id = self.ask("/vm-images/", name=name, **spec)
        size = file.stat().st_size
        with file.open("rb") as content, Progress(console=console, transient=True) as progress:
            bar = progress.add_task(f"  {file.name}", total=size)
            for first in range(0, size, _PIECE_BYTES):
                piece = content.read(_PIECE_BYTES)
                headers = {
                    "content-type": "application/octet-stream",
                    "content-range": f"bytes {first}-{first + len(piece) - 1}/{size}",
                }
                answer = self.http.post(f"/vm-images/{id}/:upload", content=piece, headers=headers)
                if answer.is_error:
                    raise ProofFailed(answer.text)
                progress.advance(bar, len(piece))
        self.settled("vm-images", id, lambda found: found["status"]["upload_state"] == "finished")
        return id

    def command(self, *words: str, **environment: str) -> str:
        """Run a program of this project's environment, and show it. Returns what it printed."""
        program = Path(sys.executable).with_name(words[0])
        home = str(self.directory / "home")
        started = time.perf_counter()
        done = subprocess.run(
            [str(program), *words[1:]],
            env={
                "PATH": os.environ["PATH"],
                "HOME": home,
                "PYTHONWARNINGS": "ignore",
                "COLUMNS": "110",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=_WAIT_SECONDS,
            check=False,
        )
        took = f"[dim]{time.perf_counter() - started:.1f} s[/dim]"
        console.print(f"  [cyan]$[/cyan] {' '.join(words)}  {took}", soft_wrap=True)
        if done.returncode:
            raise ProofFailed(done.stderr or done.stdout)
        return done.stdout

    # -- machines ------------------------------------------------------------------------------------

    def running(self, name: str) -> Resource:
        """The machine, once it runs."""
        return self.settled(
            "virtual-machines",
            self.ids[name],
            lambda found: found["status"]["power_state"] == "running",
        )

    def stop_machine(self, name: str) -> None:
        self.call("POST", f"/virtual-machines/{self.ids[name]}/:stop", {"force": True})
        self.settled(
            "virtual-machines", self.ids[name], lambda found: found["status"]["power_state"] == "stopped"
        )

    def inside(self, name: str) -> GuestControl:
        """A way into the guest, beside the network. One at a time."""
        uuid = self.show("virtual-machines", self.ids[name])["status"]["uuid"]
        return GuestControl(self.data / "machines" / f"{uuid}.0")

    def processes(self, program: bytes) -> list[int]:
        """Those of a program that work in this demo's directory."""
        mark = f"{self.directory}/".encode()
        found: list[int] = []
        for process in Path("/proc").iterdir():
            with suppress(OSError):
                words = (process / "cmdline").read_bytes() if process.name.isdigit() else b""
                if program in words.partition(b"\0")[0] and mark in words:
                    found.append(int(process.name))
        return found


@contextmanager
def waiting(what: str) -> Generator[Callable[[Callable[[], Any]], Any]]:
    """Shows what is waited for, and then how long it took."""
    started = time.perf_counter()

    def until(look: Callable[[], Any]) -> Any:
        while not (found := look()):
            if time.perf_counter() - started > _WAIT_SECONDS:
                raise ProofFailed(f"waited {_WAIT_SECONDS:.0f} s for {what}")
            time.sleep(0.02)
        return found

    with console.status(f"  {what}"):
        yield until
    took = time.perf_counter() - started
    if took > 0.1:
        console.print(f"  [dim]       {what}: {took:.1f} s[/dim]")


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    shown = Table(*columns)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
