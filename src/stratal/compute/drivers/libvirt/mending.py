"""Brings QEMU's chains in line with what libvirt knows of them. Base of `life`, and so of all verbs.

libvirtd tells QEMU first and writes down second. Killed in between it comes back with a wrong idea of the
chain: it does not know of an overlay that the guest writes to already, or tries to add block nodes that are
there. Seen when it is killed during snapshots, every fifth time or so. So each process is looked at once per
connection. What libvirt does not know of is undone: what the guest wrote to the overlay goes to the layer
below, as if the snapshot had never begun, and the overlay is emptied, as it would hide newer data when it is
used again.
"""

import os
import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from stratal.compute.domain import FileImage, MachineId, PowerState
from stratal.compute.domain.reading import Undo
from stratal.compute.drivers.errors import HypervisorUnavailable, MachineBusy, MachineNotRunning
from stratal.compute.drivers.libvirt import binding
from stratal.compute.drivers.libvirt.access import Found
from stratal.compute.drivers.libvirt.marks import Marks
from stratal.kernel.effects import Effect
from stratal.kernel.logs import get_logger

log = get_logger(__name__)

_MEND = Effect("libvirt.mend")
_EMPTY = Effect("libvirt.empty")

MENDING = "mending"
"""What is claimed of a machine while its chains are mended, and while a snapshot changes them."""

_JOB = "stratal-mend-"
_NODE = re.compile(r"libvirt-(\d+)-(format|storage)")
_COMMIT_SECONDS = 60.0
_ANSWER_SECONDS = 5.0
_POLL_SECONDS = 0.02
_TOOL_SECONDS = 60.0


class _Image(msgspec.Struct, rename="kebab"):
    filename: str = ""


class _Inserted(msgspec.Struct, rename="kebab"):
    node_name: str = ""
    image: _Image = msgspec.field(default_factory=_Image)


class _Device(msgspec.Struct):
    qdev: str = ""
    inserted: _Inserted | None = None


class _Node(msgspec.Struct, rename="kebab"):
    node_name: str


class _Job(msgspec.Struct):
    device: str
    ready: bool = False


class _ImageInfo(msgspec.Struct, rename="kebab"):
    virtual_size: int
    cluster_size: int = 65536
    full_backing_filename: str = ""
    backing_filename_format: str = ""


class Mending(Marks):
    def find(self, machine: MachineId) -> Found | None:
        found = super().find(machine)
        return None if found is None else self.mended(found)

    def mended(self, found: Found) -> Found | None:
        """The machine, looked at more closely the first time. Where that can't be done now, as it is: looking
        never fails for this, and what can't be done on unknown chains QEMU itself refuses."""
        if not found.alive or self.is_looked_at(found):
            return found
        try:
            with self.claimed(found.machine, MENDING):
                # a snapshot may have been made since: what is older would take it for unknown
                again = super().find(found.machine)
                if again is None or not again.alive:
                    return again
                changed = self._looked_at(again)
                self.link.seen.add((again.machine, int(again.handle.ID())))
        except (MachineBusy, MachineNotRunning, HypervisorUnavailable) as error:
            log.info("chains_not_looked_at", machine=found.machine, error=str(error))
            changed = True
        return super().find(found.machine) if changed else found

    def is_looked_at(self, found: Found) -> bool:
        """Whether it is known that QEMU has the chains that libvirt thinks it has."""
        return (found.machine, int(found.handle.ID())) in self.link.seen

    def _looked_at(self, found: Found) -> bool:
        others = [job.device for job in self._jobs(found.machine) if not job.device.startswith(_JOB)]
        if others:
            # libvirt knows them: it cancels those it does not. They may be what holds unknown nodes.
            raise MachineBusy(machine=found.machine, reason=f"jobs go on: {', '.join(others)}")
        return self._mend(found)

    def _jobs(self, machine: MachineId) -> list[_Job]:
        return self._query(machine, "query-block-jobs", list[_Job])

    def _mend(self, found: Found) -> bool:
        """True if there was something to be mended."""
        machine = found.machine
        ahead = self._ahead(found)
        nodes = self._query(machine, "query-named-block-nodes", list[_Node], flat=True)
        matches = (_NODE.fullmatch(node.node_name) for node in nodes)
        unknown = {match[1] for match in matches if match is not None and match[1] not in found.domain.nodes}
        if not ahead and not unknown and not found.domain.stale:
            return False
        log.warning("chains_mended", machine=machine, overlays=len(ahead), nodes=len(unknown))
        with _MEND:
            if ahead:
                self._pause(found, tuple(Path(device.image.filename) for device in ahead.values()))
                for target, top in ahead.items():
                    self._commit(found, target, top.node_name)
            for number in unknown:
                for part in ("format", "storage"):
                    self._delete(machine, f"libvirt-{number}-{part}")
        if ahead or found.domain.stale:
            again = super().find(machine)
            if again is not None:
                self._empty(again)
                self._go_on(machine)
        return True

    def _ahead(self, found: Found) -> Mapping[str, _Inserted]:
        """By target, what the guest writes to where libvirt thinks that it is something else."""
        ahead: dict[str, _Inserted] = {}
        for device in self._query(found.machine, "query-block", list[_Device]):
            for target, indexes in found.domain.indexes.items():
                alias = found.domain.aliases.get(target, "")
                if device.qdev != alias and f"/{alias}/" not in device.qdev:
                    continue
                top = device.inserted
                match = None if top is None else _NODE.fullmatch(top.node_name)
                if top is not None and match and indexes and match[1] not in found.domain.nodes:
                    ahead[target] = top
        return ahead

    def _pause(self, found: Found, overlays: tuple[Path, ...]) -> None:
        runs = found.power_state is PowerState.RUNNING
        undo = found.domain.undo or (Undo.RESUME if runs else Undo.NOTHING)
        # A guest with frozen file systems writes nothing, and goes on when it is thawed.
        self.mark(found.machine, undo, tuple({*overlays, *found.domain.stale}))
        if runs:
            self._ask(found.machine, _suspend)

    def _empty(self, found: Found) -> None:
        """The overlays that were taken back, unless one is in use after all."""
        chains = [disk.chain for disk in found.domain.disks.values()]
        used = {image.path for chain in chains for image in chain if isinstance(image, FileImage)}
        for overlay in found.domain.stale:
            if overlay not in used:
                empty(overlay)

    def _go_on(self, machine: MachineId) -> None:
        """End the pause, unless somebody else's hold ends it."""
        found = super().find(machine)
        if found is None or found.domain.undo is None:
            return
        if found.domain.undo is Undo.THAW:
            self._ask(machine, _resume)
            self.mark(machine, Undo.THAW)
            return
        if found.domain.undo is Undo.RESUME and found.power_state is PowerState.PAUSED:
            self._ask(machine, _resume)
        self.unmark(machine)

    def _commit(self, found: Found, target: str, top: str) -> None:
        """What the overlay holds goes to what libvirt takes for the top, which then is the top again."""
        machine, job = found.machine, _JOB + target
        base = found.domain.disks[target].chain[0]
        node = f"libvirt-{found.domain.indexes[target][0]}-format"
        log.info("overlay_taken_back", machine=machine, disk=target, into=str(base))
        if all(each.device != job for each in self._jobs(machine)):
            arguments = {"job-id": job, "device": top, "base-node": node}
            self._query(machine, "block-commit", dict[str, Any], **arguments)
        deadline = time.monotonic() + _COMMIT_SECONDS
        completed = False
        while running := [each for each in self._jobs(machine) if each.device == job]:
            if running[0].ready and not completed:
                self._query(machine, "block-job-complete", dict[str, Any], device=job)
                completed = True
            if time.monotonic() > deadline:
                raise HypervisorUnavailable(reason=f"disk {target} of machine {machine} is being mended")
            time.sleep(_POLL_SECONDS)

    def _delete(self, machine: MachineId, node: str) -> None:
        try:
            self._query(machine, "blockdev-del", dict[str, Any], **{"node-name": node})
        except MachineBusy:
            # In use, or gone with the one above it. QEMU lets no node go that anything hangs on.
            log.debug("node_stays", machine=machine, node=node)

    def _query(self, machine: MachineId, name: str, answer: Any, **arguments: object) -> Any:
        """Ask QEMU itself."""
        request = msgspec.json.encode({"execute": name, "arguments": arguments}).decode()

        def ask(handle: Any) -> str:
            return str(binding.qemu_module().qemuMonitorCommand(handle, request, 0))

        said = self._ask(machine, ask)
        found: Any = msgspec.json.decode(said)
        if "error" in found:
            raise MachineBusy(machine=machine, reason=str(found["error"].get("desc", name)))
        return msgspec.convert(found.get("return"), type=answer)

    def _ask(self, machine: MachineId, body: Any) -> Any:
        return self.ask(
            machine,
            "mending chains",
            body,
            seconds=_ANSWER_SECONDS,
            refused=lambda reason: MachineBusy(machine=machine, reason=reason),
        )


def _suspend(handle: Any) -> None:
    handle.suspend()


def _resume(handle: Any) -> None:
    handle.resume()


def empty(overlay: Path) -> None:
    """Let a qcow2 overlay that nobody uses hold nothing of its own. Done already if it is gone."""
    if not overlay.exists():
        return
    said = _qemu_img("info", "--output=json", "-f", "qcow2", "--", str(overlay))
    info = msgspec.json.decode(said, type=_ImageInfo)
    fresh = overlay.with_name(overlay.name + ".emptied")
    options = ["-o", f"cluster_size={info.cluster_size}", "-u"]
    options += ["-b", info.full_backing_filename, "-F", info.backing_filename_format]
    with _EMPTY:
        _qemu_img("create", "-q", "-f", "qcow2", *options, "--", str(fresh), str(info.virtual_size))
        status = overlay.stat()
        os.chown(fresh, status.st_uid, status.st_gid)
        os.chmod(fresh, status.st_mode & 0o7777)
        fresh.replace(overlay)


def _qemu_img(*arguments: str) -> bytes:
    command = ["qemu-img", *arguments]
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TOOL_SECONDS,
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)},
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise HypervisorUnavailable(reason=f"an overlay can't be emptied: {error}") from error
