"""What the hypervisor suite builds machines from: images, overlays, definitions."""

import subprocess
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from uuid import uuid4

from stratal.compute.domain import Bus, CdRom, Chain, Disk, FileImage, Machine, MachineDefinition, MachineId
from stratal.compute.drivers.contract import Hypervisor

MIB = 2**20
GIB = 2**30


def new_id() -> MachineId:
    return MachineId(str(uuid4()))


@dataclass(kw_only=True)
class Ground:
    folder: Path
    #: whether somebody opens the images
    real: bool
    #: installed in every machine that a definition is made for
    basis: MachineDefinition = field(
        default_factory=lambda: MachineDefinition(machine=new_id(), name="test", memory_bytes=32 * MIB)
    )
    _numbers: "count[int]" = field(default_factory=count)

    def image(self, *, size_bytes: int = GIB, form: str = "qcow2") -> FileImage:
        """An empty image."""
        made = FileImage(path=self.folder / f"image-{next(self._numbers)}.{form}", format=form)
        if self.real:
            self._create(made, str(size_bytes))
        return made

    def overlay(self, on: FileImage) -> FileImage:
        """An empty image on another one."""
        made = FileImage(path=self.folder / f"overlay-{next(self._numbers)}.qcow2", format="qcow2")
        if self.real:
            self._create(made, "-b", str(on.path), "-F", on.format)
        return made

    def chain(self, length: int) -> Chain:
        images = [self.image()]
        for _ in range(length - 1):
            images.append(self.overlay(images[-1]))
        return tuple(reversed(images))

    def _create(self, image: FileImage, *arguments: str) -> None:
        options = [argument for argument in arguments if not argument.isdigit()]
        size = [argument for argument in arguments if argument.isdigit()]
        command = ["qemu-img", "create", "-q", "-f", image.format, *options, str(image.path), *size]
        subprocess.run(command, check=True)

    def disk(self, target: str = "vda", *, length: int = 1, bus: Bus = Bus.VIRTIO) -> Disk:
        return Disk(target=target, bus=bus, chain=self.chain(length))

    def definition(self, *disks: Disk, cd_rom: bool = False) -> MachineDefinition:
        """A new machine; without disks named it has one."""
        return replace(
            self.basis,
            machine=new_id(),
            disks=disks or (self.disk(),),
            cd_roms=(CdRom(target="sda", bus=Bus.SATA),) if cd_rom else (),
        )

    def memory_file(self) -> Path:
        return self.folder / f"memory-{next(self._numbers)}"


def seen(hypervisor: Hypervisor, machine: MachineId) -> Machine:
    found = hypervisor.observe(machine)
    assert found is not None
    return found


def top_of(hypervisor: Hypervisor, machine: MachineId, target: str = "vda") -> FileImage:
    top = seen(hypervisor, machine).disks[target].chain[0]
    assert isinstance(top, FileImage)
    return top
