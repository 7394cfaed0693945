"""A disk that a running guest has open, as storage works on it: the guest's side of `OpenDisk`."""

from stratal.compute.domain import Image, MachineId
from stratal.compute.drivers.contract import Hypervisor
from stratal.compute.drivers.errors import (
    ChainDiffers,
    DeviceNotFound,
    JobFailed,
    MachineBusy,
    MachineNotFound,
    MachineNotRunning,
)
from stratal.compute.guests.images import address_of
from stratal.kernel.operation import Operation
from stratal.storage import LayerBusy

_PASSES = (ChainDiffers, DeviceNotFound, MachineBusy, MachineNotFound, MachineNotRunning)


class GuestDisk:
    """An `OpenDisk`. Nothing is remembered between verbs."""

    def __init__(self, hypervisor: Hypervisor, machine: MachineId, target: str) -> None:
        self._hypervisor = hypervisor
        self._machine = machine
        self._target = target

    def chain(self) -> tuple[str, ...]:
        return tuple(address_of(image) for image in self._images())

    def commit(self, *, top: str, base: str, operation: Operation) -> None:
        images = self._images()
        try:
            self._hypervisor.commit(
                self._machine, self._target, top=self._find(images, top), base=self._find(images, base)
            ).run_within(operation)
        except _PASSES as error:
            raise self._busy(str(error)) from error

    def pull(self, *, base: str | None, operation: Operation) -> None:
        images = self._images()
        image = None if base is None else self._find(images, base)
        try:
            self._hypervisor.pull(self._machine, self._target, base=image).run_within(operation)
        except _PASSES as error:
            raise self._busy(str(error)) from error

    def flush(self) -> None:
        try:
            with self._hypervisor.hold(self._machine):
                pass  # QEMU flushes all disks when it stops the processors
        except _PASSES as error:
            raise self._busy(str(error)) from error

    def resize(self, size_bytes: int) -> None:
        try:
            self._hypervisor.resize_disk(self._machine, self._target, size_bytes=size_bytes)
        except (*_PASSES, JobFailed) as error:
            raise self._busy(str(error)) from error

    def _images(self) -> tuple[Image, ...]:
        machine = self._hypervisor.observe(self._machine)
        disk = machine.disks.get(self._target) if machine is not None and machine.alive else None
        if disk is None:
            raise self._busy("the guest that had it open has just ended")
        return disk.chain

    def _find(self, images: tuple[Image, ...], address: str) -> Image:
        for image in images:
            if address_of(image) == address:
                return image
        raise self._busy(f"its guest does not have {address} open any more")

    def _busy(self, reason: str) -> LayerBusy:
        return LayerBusy(layer=f"{self._target} of machine {self._machine}", reason=reason)
