"""A data centre on this machine, shown in a minute: `make demo`.

Starts a real server on an empty directory and tells a story through its API, step by step: what was asked,
what came back, how long it took. Every step proves what it says, and the first proof that fails ends the
demo with status 1. `--keep` leaves the server running at the end.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

PORT = 6112
DIRECTORY = Path(__file__).parent.parent / "var" / "demo"
console = Console(highlight=False)


class ProofFailed(Exception):
    """Something was not as this demo says it is."""


def prove(condition: bool, what: str) -> None:
    if not condition:
        raise ProofFailed(what)
    console.print(f"  [green]✓[/green] {what}")


class Demo:
    """The server, and a client that shows what it does."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{PORT}/sddc/v1"
        self.http = httpx.Client(base_url=self.url, timeout=30)
        self.process: subprocess.Popen[bytes] | None = None
        self.password = ""
        self.ids: dict[str, int] = {}

    # -- the server ----------------------------------------------------------------------------------

    def start(self) -> None:
        command = [sys.executable, "-m", "stratal", "serve", "--port", str(PORT)]
        command += ["--data-directory", str(DIRECTORY / "data")]
        with (DIRECTORY / "log").open("ab") as log, (DIRECTORY / "out").open("wb") as out:
            environment = {**os.environ, "STRATAL_METRICS_LISTEN": ""}
            self.process = subprocess.Popen(
                command, stdout=out, stderr=log, stdin=subprocess.DEVNULL, env=environment
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.http.get("/openapi.json")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise ProofFailed(f"the server does not answer; its log is {DIRECTORY / 'log'}")

    def kill(self) -> None:
        """End the server as a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)

    # -- the client ----------------------------------------------------------------------------------

    def call(self, method: str, path: str, spec: dict[str, Any] | None = None, **params: str) -> Any:
        body = None if spec is None else {"spec": spec}
        shown = " ".join(f"{name}={value}" for name, value in params.items())
        started = time.perf_counter()
        answer = self.http.request(method, path, json=body, params=params)
        took = f"[dim]{(time.perf_counter() - started) * 1000:.1f} ms[/dim]"
        console.print(f"  [cyan]{method:6}[/cyan] {path} {shown} → {answer.status_code}  {took}")
        if answer.is_error:
            raise ProofFailed(answer.text)
        return answer.json() if answer.content else None

    def create(self, plural: str, **spec: object) -> int:
        """Create a resource and wait until it is active."""
        id = int(self.call("POST", f"/{plural}/", spec)["metadata"]["id"])
        self.settled(plural, id)
        return id

    def settled(self, plural: str, id: int) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            found: dict[str, Any] = self.http.get(f"/{plural}/{id}").json()
            if found["metadata"]["state"]["state"] == "active":
                return found
            time.sleep(0.01)
        raise ProofFailed(f"{plural} {id} does not become active")

    def gone(self, plural: str, id: int) -> None:
        deadline = time.monotonic() + 30
        while self.http.get(f"/{plural}/{id}").status_code != 404:
            if time.monotonic() > deadline:
                raise ProofFailed(f"{plural} {id} does not go")
            time.sleep(0.01)

    def disk(self, name: str) -> bytes:
        """The content of an image, as it is downloaded."""
        return self.http.get(f"/vm-images/{self.ids[name]}/download").content


# -- the story ---------------------------------------------------------------------------------------


def first_start(demo: Demo) -> None:
    demo.start()
    found = re.search(r"^\s+admin\s+(\S+)$", (DIRECTORY / "out").read_text(), re.MULTILINE)
    demo.password = found[1] if found else ""
    prove(demo.password != "", "the first start made an administrator and showed the password once")


def log_in(demo: Demo) -> None:
    token = demo.call("POST", "/tokens/:login", {"name": "admin", "password": demo.password})
    demo.http.headers["x-sddc-token"] = token["uuid"]
    prove("system_admin" in token["roles"], f"logged in as {token['user']['spec']['name']}, {token['roles']}")


def project(demo: Demo) -> None:
    demo.ids["project"] = demo.create("projects", name="web", description="The web team", cpu_quota=16)
    demo.ids["user"] = demo.create("users", name="ada", password="correct horse battery")
    roles = demo.call("GET", "/roles/", q="spec.name:project_member")
    member = {"user_id": demo.ids["user"], "role_id": roles["items"][0]["metadata"]["id"]}
    demo.call("POST", f"/projects/{demo.ids['project']}/:add-user", member)
    members = demo.call("GET", f"/projects/{demo.ids['project']}/users")
    prove(members["items"][0]["user_name"] == "ada", "ada is a member of the project web")


def data_centre(demo: Demo) -> None:
    demo.ids["data_center"] = demo.create("data-centers", name="north")
    for name in ("hall-1", "hall-2", "hall-3"):
        demo.ids[name] = demo.create("rooms", name=name, data_center_id=demo.ids["data_center"])
    counted = demo.settled("data-centers", demo.ids["data_center"])
    while counted["status"]["child_num"] != 3:
        counted = demo.settled("data-centers", demo.ids["data_center"])
    prove(counted["status"]["child_num"] == 3, "the data centre has counted its three rooms")


def query(demo: Demo) -> None:
    wanted = 'spec.name:~"hall-[12]" AND metadata.state.state:active'
    found = demo.call("GET", "/rooms/", q=wanted, sort="spec.name:desc")
    names = [item["spec"]["name"] for item in found["items"]]
    prove(names == ["hall-2", "hall-1"], f"q and sort gave {names}")


def image(demo: Demo) -> None:
    raw, qcow2 = DIRECTORY / "disk.raw", DIRECTORY / "disk.qcow2"
    raw.write_bytes(os.urandom(16 << 20) + bytes(48 << 20))
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, qcow2], check=True)
    answer = demo.call("POST", "/vm-images/", {"name": "disk", "format": "qcow2"})
    demo.ids["image"] = answer["metadata"]["id"]
    with qcow2.open("rb") as content:
        headers = {"content-type": "application/octet-stream"}
        uploaded = demo.http.post(f"/vm-images/{demo.ids['image']}:upload", content=content, headers=headers)
    prove(uploaded.status_code == 202, f"uploaded {qcow2.stat().st_size >> 20} MiB of qcow2")
    demo.settled("vm-images", demo.ids["image"])
    prove(demo.disk("image") == raw.read_bytes(), "the image holds, byte for byte, what was uploaded")


def branches(demo: Demo) -> None:
    policy = demo.call("GET", "/bs-policies/")["items"][0]["metadata"]["id"]
    volume = demo.create(
        "bs-volumes", name="root", bs_policy_id=policy, size_mb=64, vm_image_id=demo.ids["image"]
    )
    snapshots = [demo.create("bs-snaps", name=f"moment-{n}", bs_volume_id=volume) for n in range(3)]
    demo.call("POST", f"/bs-volumes/{volume}/:rollback", {"bs_snap_id": snapshots[0]})
    demo.settled("bs-volumes", volume)
    branch = demo.create("bs-snaps", name="branch", bs_volume_id=volume)
    clone = demo.call(
        "POST", "/bs-volumes/:clone", {"name": "twin", "bs_snap_id": snapshots[1], "flatten": True}
    )
    demo.settled("bs-volumes", clone["metadata"]["id"])
    demo.call("DELETE", f"/bs-snaps/{snapshots[1]}")
    demo.gone("bs-snaps", snapshots[1])
    prove(True, "rolled back, branched, cloned, flattened, and deleted a snapshot from the middle")
    demo.ids["template"] = demo.create("vm-images", name="template", bs_snap_id=branch)
    demo.call("DELETE", f"/vm-images/{demo.ids['image']}")
    demo.gone("vm-images", demo.ids["image"])
    whole = (DIRECTORY / "disk.raw").read_bytes()
    prove(demo.disk("template") == whole, "a template of the branch reads right, though its image is deleted")


def crash(demo: Demo) -> None:
    ids: list[int] = []
    for number in range(50):
        answer = demo.http.post(
            "/racks/", json={"spec": {"name": f"rack-{number}", "room_id": demo.ids["hall-1"]}}
        )
        ids.append(answer.json()["metadata"]["id"])
    demo.kill()
    console.print("  [red]kill -9[/red] right after the 50th 202")
    demo.start()
    for id in ids:
        demo.settled("racks", id)
    prove(True, "after the restart all 50 racks that were acknowledged are there and active; nobody helped")


def audit(demo: Demo) -> None:
    mine = demo.call("GET", "/audit-logs/", q="user_name:admin AND action:create", sort="id:desc", limit="5")
    table = Table("when", "who", "did", "what", "status")
    for row in mine["items"]:
        what = f"{row['resource_type']} {row.get('resource_name', row.get('resource_id', ''))}"
        table.add_row(row["started_at"][11:19], row["user_name"], row["action"], what, row["status"])
    console.print(table)
    unfinished = demo.call("GET", "/audit-logs/", q="status:running")["items"]
    prove(not unfinished, "the audit trail has it all, and nothing in it is unfinished")


STORY: list[tuple[str, Callable[[Demo], None]]] = [
    ("Start on an empty directory", first_start),
    ("Log in", log_in),
    ("A project with a member", project),
    ("A data centre with rooms", data_centre),
    ("Find things", query),
    ("An image of a disk", image),
    ("A volume, and snapshots that branch", branches),
    ("kill -9 while it works", crash),
    ("Who did what", audit),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the server running")
    keep = parser.parse_args().keep
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    demo = Demo()
    summary = Table("step", "seconds", title="What you saw")
    try:
        for number, (title, step) in enumerate(STORY, start=1):
            console.print(f"\n[bold]{number}. {title}[/bold]")
            started = time.perf_counter()
            step(demo)
            summary.add_row(title, f"{time.perf_counter() - started:.2f}")
    except ProofFailed as failure:
        console.print(f"\n[red]✗ {failure}[/red]\nThe server's log is {DIRECTORY / 'log'}")
        demo.stop()
        return 1
    console.print()
    console.print(summary)
    if keep:
        console.print(f"The server is still there: {demo.url}/  (admin, {demo.password})")
    else:
        demo.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
