"""How machines start and end. Part of `driver`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stratal.compute.domain import (
    CephCluster,
    Firmware,
    MachineDefinition,
    MachineId,
    PowerState,
    RbdImage,
    altering,
    reading,
    rules,
    writing,
)
from stratal.compute.domain.reading import Undo
from stratal.compute.drivers.errors import (
    MachineBusy,
    MachineRunning,
    StartFailed,
)
from stratal.compute.drivers.libvirt import binding, keys
from stratal.compute.drivers.libvirt.access import patient
from stratal.compute.drivers.libvirt.host import HostProbe
from stratal.compute.drivers.libvirt.mending import Mending
from stratal.kernel.effects import Effect
from stratal.kernel.errors import StratalError

_DEFINE = Effect("libvirt.define")
_START = Effect("libvirt.start")
_RESTORE = Effect("libvirt.restore")
_SECRET = Effect("libvirt.secret")
_POWER_BUTTON = Effect("libvirt.power_button")
_POWER_OFF = Effect("libvirt.power_off")
_REBOOT = Effect("libvirt.reboot")
_RESET = Effect("libvirt.reset")
_PAUSE = Effect("libvirt.pause")
_RESUME = Effect("libvirt.resume")
_REMOVE = Effect("libvirt.remove")

_START_SECONDS = 120.0
_START_ATTEMPTS = 5
_PORT_TAKEN = "Failed to find an available port"
_POWER_OFF_SECONDS = 60.0


class Life(Mending):
    host: HostProbe

    @patient
    def start(self, definition: MachineDefinition, *, memory_file: Path | None = None) -> None:
        rules.check(definition)
        machine = definition.machine
        found = self.ours(machine)
        if found is not None and found.alive:
            return

        def failed(reason: str) -> StratalError:
            return StartFailed(machine=machine, reason=reason)

        platform = self.host.platform(self.owner, self.link.sockets)
        if definition.firmware is Firmware.UEFI and (platform.uefi_code is None or definition.nvram is None):
            raise failed("no UEFI firmware is installed, or there is no place for its variables")
        self._give_keys(definition)
        xml = writing.domain(definition, platform)
        with _DEFINE:
            self.ask_host(machine, "defining", lambda connection: connection.defineXML(xml), refused=failed)
        if memory_file is not None:
            self._restore(definition, memory_file, failed)
            return
        for attempt in range(_START_ATTEMPTS):
            try:
                with _START:
                    self.ask(machine, "starting", _create, seconds=_START_SECONDS, refused=failed)
                return
            except StartFailed as error:
                # Another libvirtd of the host took the port that this one had found free.
                if _PORT_TAKEN not in str(error) or attempt == _START_ATTEMPTS - 1:
                    raise

    def _restore(
        self, definition: MachineDefinition, memory_file: Path, failed: Callable[[str], StratalError]
    ) -> None:
        if not memory_file.is_file():
            raise failed(f"there is no {memory_file}")

        def restore(connection: Any) -> None:
            saved = connection.saveImageGetXMLDesc(str(memory_file), 0)
            if strange := _devices_of(reading.read(saved)) ^ _devices(definition):
                raise failed(f"it has another {min(strange)} than when its memory was saved")
            connection.restoreFlags(str(memory_file), altering.resumed(saved, definition), 0)

        with _RESTORE:
            self.ask_host(definition.machine, "resuming", restore, seconds=_START_SECONDS * 5, refused=failed)

    def _give_keys(self, definition: MachineDefinition) -> None:
        chains = [disk.chain for disk in definition.disks] + [each.medium for each in definition.cd_roms]
        for chain in chains:
            for image in chain:
                if isinstance(image, RbdImage):
                    self.give_key(definition.machine, image.cluster)

    def give_key(self, machine: MachineId, cluster: CephCluster) -> None:
        """Let libvirt know the key of a Ceph user, which QEMU then gets through its memory only."""
        if cluster.keyring is None:
            return
        key = keys.of_user(cluster.keyring, cluster.user)
        xml = writing.ceph_secret(cluster)
        with _SECRET:
            self.ask_host(
                machine,
                "keeping a key",
                lambda connection: connection.secretDefineXML(xml).setValue(key, 0),
                refused=lambda reason: StartFailed(machine=machine, reason=f"the Ceph user's key: {reason}"),
            )

    @patient
    def stop(self, machine: MachineId) -> None:
        if not self.get(machine).alive:
            return
        flag = binding.module().VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
        with _POWER_BUTTON:
            self.ask(
                machine,
                "pressing the power button",
                lambda handle: handle.shutdownFlags(flag),
                refused=_busy(machine),
            )

    @patient
    def power_off(self, machine: MachineId) -> None:
        if not self.get(machine).alive:
            return
        with _POWER_OFF:
            self.ask(
                machine,
                "pulling the plug",
                lambda handle: handle.destroy() if handle.isActive() else None,
                seconds=_POWER_OFF_SECONDS,
                refused=_busy(machine),
            )

    @patient
    def reboot(self, machine: MachineId, *, force: bool = False) -> None:
        self.live(machine)
        if force:
            with _RESET:
                self.ask(machine, "resetting", lambda handle: handle.reset(0), refused=_busy(machine))
            return
        flag = binding.module().VIR_DOMAIN_REBOOT_ACPI_POWER_BTN
        with _REBOOT:
            self.ask(machine, "rebooting", lambda handle: handle.reboot(flag), refused=_busy(machine))

    @patient
    def pause(self, machine: MachineId) -> None:
        found = self.live(machine)
        if found.power_state is PowerState.PAUSED:
            if found.domain.undo is Undo.RESUME:
                # Whoever holds it would let it go on later; from now on nobody does.
                self.mark(machine, Undo.NOTHING)
            return
        with _PAUSE:
            self.ask(machine, "pausing", lambda handle: handle.suspend(), refused=_busy(machine))

    @patient
    def resume(self, machine: MachineId) -> None:
        found = self.live(machine)
        if found.power_state is PowerState.RUNNING:
            return
        if found.domain.undo is not None:
            raise MachineBusy(machine=machine, reason="it is held for a point in time")
        with _RESUME:
            self.ask(machine, "resuming", lambda handle: handle.resume(), refused=_busy(machine))

    @patient
    def remove(self, machine: MachineId) -> None:
        found = self.find(machine)
        if found is None:
            return
        if found.alive:
            raise MachineRunning(machine=machine)
        flags = binding.module().VIR_DOMAIN_UNDEFINE_NVRAM | binding.module().VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        with _REMOVE:
            self.ask(machine, "removing", lambda handle: handle.undefineFlags(flags), refused=_busy(machine))


def _devices_of(domain: reading.Domain) -> set[str]:
    return {*domain.disks, *domain.cd_roms, *domain.nics}


def _devices(definition: MachineDefinition) -> set[str]:
    blocks = (*definition.disks, *definition.cd_roms)
    return {*(each.target for each in blocks), *(nic.mac for nic in definition.nics)}


def _create(handle: Any) -> None:
    handle.create()


def _busy(machine: MachineId) -> Callable[[str], StratalError]:
    return lambda reason: MachineBusy(machine=machine, reason=reason)
