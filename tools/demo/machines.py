"""Chapters about one machine, its past, its twins and its children. Proven from inside the guest, except
where machines are simulated and have no inside."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from stage import ROOT, GuestControl, ProofFailed, Stage, console, prove, tell

MIB = 1 << 20
DATA = "/dev/vdb"
PATTERN = (0, 8 * MIB)
"""Where the story's data is on that disk: the offset and the length, in bytes."""


def boot(stage: Stage) -> None:
    disks: list[dict[str, object]] = [{"name": "data", "size_mb": 64}]
    interfaces: list[dict[str, object]] = []
    if not stage.simulated:
        image = _demo_guest(stage)
        disks.insert(0, {"name": "root", "vm_image_id": image, "boot": True})
    if stage.simulated or os.geteuid() == 0:
        switch = stage.http.get("/vsws/").json()["items"][0]["metadata"]["id"]
        stage.ids["network"] = stage.create(
            "br-nets", name="lan", vsw_id=switch, vlan_id=0, cidr="10.61.12.0/24"
        )
        interfaces.append({"name": "eth0", "br_net_id": stage.ids["network"]})
    else:
        tell("without root there are no networks: this machine has no interface")
    policy = stage.http.get("/bs-policies/").json()["items"][0]["metadata"]["id"]
    disks[-1]["bs_policy_id"] = policy
    stage.ids["web"] = stage.ask(
        "/virtual-machines/",
        name="web",
        memory_mb=128,
        power_state="running",
        vm_disks=disks,
        vm_nics=interfaces,
    )
    found = stage.running("web")
    prove(True, f"web runs: {found['status'].get('accel') or 'a machine'}, with {len(disks)} disks")
    if not stage.simulated:
        with stage.inside("web") as inside:
            with console.status("  the guest boots"):
                hello = inside.wait_ready()
            prove(hello.kernel, f"its guest is up, Linux {hello.kernel}")
            inside.write_pattern(DATA, 1, *PATTERN)
            inside.start_beat("beat", DATA, offset=32 * MIB, flush=True)
            tell(
                "it wrote 8 MiB that can be checked, and now writes a line every 5 ms, for as long as it runs"
            )


def live_snapshot(stage: Stage) -> None:
    started = time.perf_counter()
    stage.ids["good"] = stage.create("vm-snaps", name="good", vm_id=stage.ids["web"])
    took = time.perf_counter() - started
    if stage.simulated:
        prove(True, f"a snapshot of all disks in {took:.2f} s")
    else:
        with stage.inside("web") as inside:
            beat = inside.beat("beat")
        prove(
            beat.running and not beat.error,
            f"a snapshot of all disks of the running guest in {took:.2f} s, which since its start was never "
            f"without a written line for more than {beat.largest_gap_ns / 1e6:.0f} ms",
        )
    snapshot = stage.call(
        "PATCH", f"/vm-snaps/{stage.ids['good']}", {"name": "before-the-update", "description": "all is well"}
    )
    prove(snapshot["spec"]["name"] == "before-the-update", "it has another name and a description now")


def break_and_roll_back(stage: Stage) -> None:
    if not stage.simulated:
        with stage.inside("web") as inside:
            inside.write_pattern(DATA, 666, *PATTERN)
            broken = inside.verify_pattern(DATA, 1, *PATTERN)
        prove(not broken.matches, "an update overwrote the data: the guest reads rubbish")
    stage.stop_machine("web")
    stage.call("POST", f"/virtual-machines/{stage.ids['web']}/:rollback", {"vm_snap_id": stage.ids["good"]})
    stage.settled("virtual-machines", stage.ids["web"], lambda found: found["status"]["rollback_num"] == 1)
    stage.call("POST", f"/virtual-machines/{stage.ids['web']}/:start")
    stage.running("web")
    if not stage.simulated:
        with stage.inside("web") as inside:
            _awake("web", inside)
            inside.start_beat("beat", DATA, offset=32 * MIB, flush=True)


def branch(stage: Stage) -> None:
    for name, flatten in (("left", False), ("right", True)):
        stage.ids[name] = stage.ask(
            "/virtual-machines/:clone",
            name=name,
            vm_snap_id=stage.ids["good"],
            flatten=flatten,
            power_state="running",
        )
    for name in ("left", "right"):
        stage.running(name)
        if not stage.simulated:
            with stage.inside(name) as inside:
                _awake(name, inside)
    stage.settled("virtual-machines", stage.ids["right"], lambda found: found["status"]["flattened"])
    prove(True, "two machines started as the snapshot was; left shares its layers, right shares none")
    console.print(stage.command("stratal", "vm", "tree", "web"))


def template(stage: Stage) -> None:
    parts = stage.find("vm-disk-snaps", f"spec.vm_snap_id:{stage.ids['good']}")
    boot_disk = next((part for part in parts if part["spec"]["boot"]), parts[0])
    stage.ids["template"] = stage.create(
        "vm-images", name="web-template", bs_snap_id=boot_disk["spec"]["bs_snap_id"]
    )
    stage.ids["child"] = stage.ask(
        "/virtual-machines/",
        name="child",
        memory_mb=128,
        power_state="running",
        vm_disks=[{"name": "root", "vm_image_id": stage.ids["template"], "boot": True}],
    )
    stage.running("child")
    if not stage.simulated:
        with stage.inside("child") as inside, console.status("  the guest boots"):
            inside.wait_ready()
    prove(True, "a template of the snapshot's disk, and a machine that started from it")


def crash(stage: Stage) -> None:
    before = None
    if not stage.simulated:
        with stage.inside("web") as inside:
            before = inside.hello().boot_id
    second = stage.ask("/vm-snaps/", name="second", vm_id=stage.ids["web"])
    stage.kill()
    console.print("  [red]kill -9[/red] of the server, right after it said 202 to a snapshot")
    stage.start()
    stage.settled("vm-snaps", second)
    prove(True, "the snapshot is there; nobody helped")
    if not stage.simulated:
        with stage.inside("web") as inside:
            inside.write_pattern(DATA, 2, 16 * MIB, 8 * MIB)
    stage.call("DELETE", f"/vm-snaps/{second}")
    time.sleep(0.2)
    stage.kill()
    console.print("  [red]kill -9[/red] in the middle of the merge that deletes it")
    stage.start()
    stage.settled(
        "virtual-machines", stage.ids["web"], lambda _: stage.find("vm-snaps", "spec.name:second") == []
    )
    prove(True, "the merge went on by itself, and the snapshot is gone")
    if not stage.simulated:
        with stage.inside("web") as inside:
            beat, hello = inside.beat("beat"), inside.hello()
            prove(
                hello.boot_id == before and beat.running and not beat.error,
                f"the guest never noticed: the same boot, {beat.written} lines written, and no error",
            )
            kept = inside.verify_pattern(DATA, 2, 16 * MIB, 8 * MIB)
            prove(kept.matches, "what it wrote in between is all there")


def delete_everything(stage: Stage) -> None:
    stage.delete("bs-snaps", stage.ids["by-huawei"])
    for name in ("child", "left", "right", "web"):
        stage.stop_machine(name)
        stage.delete("virtual-machines", stage.ids[name])
    for name in ("template", "image"):
        if name in stage.ids:
            stage.delete("vm-images", stage.ids[name])
    if "network" in stage.ids:
        stage.delete("br-nets", stage.ids["network"])
    volumes = stage.call("GET", "/bs-volumes/")["items"]
    prove(not volumes, "no volume is left: disks that belong to a machine went with it")
    if stage.simulated:
        return
    deadline = time.monotonic() + 30
    while (left := _left(stage)) and time.monotonic() < deadline:
        time.sleep(0.1)
    prove(not left, f"nothing is left on this host{': ' + ', '.join(left) if left else ''}")


def _left(stage: Stage) -> list[str]:
    """What machines and disks left behind on this host."""
    layers = [str(path) for path in (stage.data / "layers").rglob("*.qcow2")]
    files = [str(path) for path in (stage.data / "machines").iterdir()]
    return [*layers, *files, *(f"process {pid}" for pid in stage.processes(b"qemu-system"))]


def _demo_guest(stage: Stage) -> int:
    """The guest's disk as an image. It is built of Debian's packages the first time."""
    with console.status("  building the demo's guest of Debian's packages"):
        built = subprocess.run(
            [sys.executable, str(ROOT / "tools/guest/build.py")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if built.returncode:
        raise ProofFailed(built.stderr)
    disk = Path(json.loads(built.stdout)["disk"])
    stage.ids["image"] = stage.upload("demo-guest", disk, format="qcow2")
    prove(True, f"uploaded its disk, {disk.stat().st_size / MIB:.0f} MiB of qcow2")
    return stage.ids["image"]


def _awake(name: str, inside: GuestControl) -> None:
    """The guest is up, and reads what was in the snapshot."""
    with console.status(f"  the guest of {name} boots"):
        inside.wait_ready()
    found = inside.verify_pattern(DATA, 1, *PATTERN)
    prove(found.matches, f"from inside {name}: all 8 MiB are as they were in the snapshot")
