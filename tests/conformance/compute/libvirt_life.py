"""A program that takes one machine through its life, and may be killed on the way and run again.

Arguments: the directory of libvirtd, a folder for images, the machine's UUID, and perhaps a file that is to
list the crash points that it passes. How far it came is in a file of the folder.
"""

import sys
from pathlib import Path

from hypervisor_ground import GIB, MIB, Ground

from stratal.compute.domain import (
    Bus,
    CdRom,
    Disk,
    FileImage,
    Graphics,
    Limits,
    MachineDefinition,
    MachineId,
    PowerState,
)
from stratal.compute.drivers.contract import Accelerator
from stratal.compute.drivers.libvirt import HostProbe, LibvirtHypervisor
from stratal.kernel import effects


class _Tcg(HostProbe):
    """Spares each run the look at the host."""

    def accelerator(self) -> tuple[Accelerator, str]:
        return Accelerator.TCG, "a test"


class Life:
    """Steps that each may be repeated."""

    def __init__(self, directory: Path, folder: Path, machine: MachineId) -> None:
        self.hypervisor = LibvirtHypervisor(directory, owner="life", host=_Tcg())
        self.folder = folder
        self.machine = machine
        self.ground = Ground(folder=folder, real=True)

    def image(self, name: str, on: FileImage | None = None) -> FileImage:
        made = FileImage(path=self.folder / f"{name}.qcow2", format="qcow2")
        if not made.path.exists():
            part = self.ground.image() if on is None else self.ground.overlay(on)
            part.path.rename(made.path)
        return made

    def start(self) -> None:
        base = self.image("base")
        chain = (self.image("second", base), base)
        self.hypervisor.start(
            MachineDefinition(
                machine=self.machine,
                name="life",
                memory_bytes=32 * MIB,
                disks=(Disk(target="vda", bus=Bus.VIRTIO, chain=chain),),
                cd_roms=(CdRom(target="sda", bus=Bus.SATA),),
                graphics=Graphics(password="old-word"),
            )
        )

    def devices(self) -> None:
        plugged = Disk(target="sdb", bus=Bus.SCSI, chain=(self.image("plugged"),))
        self.hypervisor.attach_disk(self.machine, plugged)
        self.hypervisor.change_medium(self.machine, "sda", (self.image("medium"),))
        self.hypervisor.set_limits(self.machine, "vda", Limits(iops=100))
        self.hypervisor.resize_disk(self.machine, "vda", size_bytes=2 * GIB)
        self.hypervisor.set_graphics_password(self.machine, "new-word")
        self.hypervisor.pause(self.machine)
        self.hypervisor.resume(self.machine)
        self.hypervisor.reboot(self.machine, force=True)
        self.hypervisor.stop(self.machine)
        self.hypervisor.detach_disk(self.machine, "sdb")

    def snapshots(self) -> None:
        base, second = self.image("base"), self.image("second")
        third = self.image("third", second)
        if third not in self.chain():
            with self.hypervisor.hold(self.machine):
                self.hypervisor.snapshot(self.machine, {"vda": third})
        fourth = self.image("fourth", third)
        memory = self.folder / "memory"
        self.hypervisor.snapshot(self.machine, {"vda": fourth}, memory_file=memory)
        assert memory.exists()
        assert self.chain() == (fourth, third, second, base)

    def jobs(self) -> None:
        base, second = self.image("base"), self.image("second")
        third, fourth = self.image("third"), self.image("fourth")
        if second in self.chain():
            self.hypervisor.commit(self.machine, "vda", top=second, base=base).run()
        if fourth in self.chain():
            self.hypervisor.commit(self.machine, "vda", top=fourth, base=third).run()
        self.hypervisor.pull(self.machine, "vda", base=None).run()
        assert self.chain() == (third,)

    def end(self) -> None:
        found = self.hypervisor.observe(self.machine)
        if found is not None:
            assert (found.power_state, found.held) != (PowerState.RUNNING, True)
            self.hypervisor.power_off(self.machine)
        self.hypervisor.remove(self.machine)
        assert self.hypervisor.observe(self.machine) is None

    def chain(self) -> tuple[object, ...]:
        found = self.hypervisor.observe(self.machine)
        assert found is not None
        assert (found.power_state, found.held) == (PowerState.RUNNING, False)
        return found.disks["vda"].chain

    def live(self) -> None:
        progress = self.folder / "progress"
        steps = [self.start, self.devices, self.snapshots, self.jobs, self.end]
        done = int(progress.read_text()) if progress.exists() else 0
        found = self.hypervisor.observe(self.machine)
        if found is not None:
            self.hypervisor.settle(self.machine)
        for number, step in enumerate(steps):
            if number >= done:
                step()
                replaced = progress.with_suffix(".new")
                replaced.write_text(str(number + 1))
                replaced.rename(progress)
        self.hypervisor.close()


def trace(file: Path) -> None:
    """Write down which crash points are passed."""

    def passing(point: str) -> None:
        with file.open("a") as output:
            print(point, file=output)

    effects._pass = passing  # pyright: ignore


if __name__ == "__main__":
    if len(sys.argv) > 4:
        trace(Path(sys.argv[4]))
    Life(Path(sys.argv[1]), Path(sys.argv[2]), MachineId(sys.argv[3])).live()
