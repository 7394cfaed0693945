"""How machines live, and devices that come, go and change. Part of `hypervisor_suite`."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypervisor_ground import GIB, Ground, new_id, seen

from stratal.compute.domain import (
    Bus,
    Cause,
    CdRom,
    Disk,
    FileImage,
    Graphics,
    Limits,
    MachineId,
    PowerState,
)
from stratal.compute.drivers.contract import Happening, Hypervisor, MachineEvent
from stratal.compute.drivers.errors import (
    AgentUnavailable,
    CannotPlug,
    DeviceExists,
    DeviceNotFound,
    MachineForeign,
    MachineNotFound,
    MachineNotRunning,
    MachineRunning,
)
from stratal.kernel.errors import Invalid


class Life:
    def test_a_machine_that_was_never_started_is_unknown(self, hypervisor: Hypervisor) -> None:
        machine = new_id()
        assert hypervisor.observe(machine) is None
        assert machine not in hypervisor.survey()
        with pytest.raises(MachineNotFound):
            hypervisor.power_off(machine)
        hypervisor.remove(machine)

    def test_a_started_machine_is_what_its_definition_says(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        disk = replace(ground.disk(length=3), serial="abc-1", limits=Limits(iops=100, bytes_per_second=2**20))
        definition = replace(ground.definition(disk, ground.disk("vdb"), cd_rom=True), name="Käse <&> co")
        hypervisor.start(definition)
        found = seen(hypervisor, definition.machine)
        assert found.name == "Käse <&> co"
        assert (found.power_state, found.alive, found.held) == (PowerState.RUNNING, True, False)
        assert (found.cpus, found.memory_bytes) == (1, definition.memory_bytes)
        assert found.disks["vda"].chain == disk.chain
        assert (found.disks["vda"].serial, found.disks["vda"].limits) == ("abc-1", disk.limits)
        assert set(found.disks) == {"vda", "vdb"}
        assert found.cd_roms["sda"].medium == ()
        assert found.graphics.vnc is not None
        assert hypervisor.survey()[definition.machine].disks == found.disks

    def test_starting_a_running_machine_changes_nothing(self, hypervisor: Hypervisor, ground: Ground) -> None:
        definition = ground.definition()
        hypervisor.start(definition)
        before = seen(hypervisor, definition.machine)
        hypervisor.start(replace(definition, name="other", memory_bytes=2 * definition.memory_bytes))
        assert seen(hypervisor, definition.machine) == before

    def test_a_stopped_machine_starts_with_its_new_definition(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        definition = ground.definition()
        hypervisor.start(definition)
        hypervisor.power_off(definition.machine)
        stopped = seen(hypervisor, definition.machine)
        assert (stopped.power_state, stopped.cause) == (PowerState.STOPPED, Cause.REQUESTED)
        assert stopped.graphics.vnc is None
        hypervisor.power_off(definition.machine)
        hypervisor.start(replace(definition, memory_bytes=2 * definition.memory_bytes))
        assert seen(hypervisor, definition.machine).memory_bytes == 2 * definition.memory_bytes

    def test_a_machine_pauses_and_resumes(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground)
        for _ in range(2):
            hypervisor.pause(machine)
            found = seen(hypervisor, machine)
            assert (found.power_state, found.cause) == (PowerState.PAUSED, Cause.REQUESTED)
        for _ in range(2):
            hypervisor.resume(machine)
            assert seen(hypervisor, machine).power_state is PowerState.RUNNING

    def test_a_reset_machine_goes_on_running(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground)
        hypervisor.reboot(machine, force=True)
        assert seen(hypervisor, machine).power_state is PowerState.RUNNING

    def test_a_running_machine_is_not_removed(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground)
        with pytest.raises(MachineRunning):
            hypervisor.remove(machine)
        hypervisor.power_off(machine)
        for _ in range(2):
            hypervisor.remove(machine)
            assert hypervisor.observe(machine) is None

    def test_live_verbs_need_a_running_machine(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground)
        hypervisor.power_off(machine)
        hypervisor.stop(machine)
        assert hypervisor.jobs(machine) == {}
        for verb in (hypervisor.pause, hypervisor.resume, hypervisor.disk_sizes, hypervisor.reboot):
            with pytest.raises(MachineNotRunning):
                verb(machine)
        with pytest.raises(MachineNotRunning):
            hypervisor.snapshot(machine, {"vda": ground.image()})
        with pytest.raises(MachineNotRunning), hypervisor.hold(machine):
            pass

    def test_a_machine_of_another_installation_is_left_alone(
        self, hypervisor: Hypervisor, stranger: Hypervisor, ground: Ground
    ) -> None:
        definition = ground.definition()
        stranger.start(definition)
        assert hypervisor.observe(definition.machine) is None
        assert definition.machine not in hypervisor.survey()
        with pytest.raises(MachineForeign):
            hypervisor.start(definition)
        with pytest.raises(MachineNotFound):
            hypervisor.power_off(definition.machine)
        hypervisor.remove(definition.machine)
        assert seen(stranger, definition.machine).alive
        stranger.power_off(definition.machine)
        stranger.remove(definition.machine)

    def test_a_definition_that_makes_no_sense_is_refused(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        good = ground.definition()
        evil = FileImage(path=Path("/x/../etc/shadow"), format="raw")
        for bad in (
            replace(good, machine=MachineId("no-uuid")),
            replace(good, name="a\nb"),
            replace(good, memory_bytes=5),
            replace(good, disks=(replace(good.disks[0], target="sda"),)),
            replace(good, disks=(replace(good.disks[0], chain=(evil,)),)),
            replace(good, disks=(good.disks[0], good.disks[0])),
            replace(good, graphics=Graphics(password="\x00")),
        ):
            with pytest.raises(Invalid):
                hypervisor.start(bad)
        assert hypervisor.observe(good.machine) is None

    def test_who_listens_hears_what_machines_do(self, hypervisor: Hypervisor, ground: Ground) -> None:
        heard: list[MachineEvent] = []
        definition = ground.definition()
        with hypervisor.subscribe(heard.append):
            hypervisor.start(definition)
            hypervisor.power_off(definition.machine)
            self.soon(
                lambda: (
                    sum(
                        event == MachineEvent(machine=definition.machine, what=Happening.STATE)
                        for event in heard
                    )
                    >= 2
                )
            )
        hypervisor.remove(definition.machine)

    def test_machines_start_at_the_same_time(self, hypervisor: Hypervisor, ground: Ground) -> None:
        definitions = [ground.definition() for _ in range(3)]
        threads = [threading.Thread(target=hypervisor.start, args=(each,)) for each in definitions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(seen(hypervisor, each.machine).alive for each in definitions)

    def running(
        self, hypervisor: Hypervisor, ground: Ground, *disks: Disk, cd_rom: bool = False
    ) -> MachineId:
        definition = ground.definition(*disks, cd_rom=cd_rom)
        hypervisor.start(definition)
        return definition.machine

    def soon(self, happens: Callable[[], bool], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not happens():
            assert time.monotonic() < deadline
            time.sleep(0.02)


class Devices(Life):
    def test_a_disk_is_plugged_in(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground)
        disk = ground.disk("vdb", length=2)
        for _ in range(2):
            hypervisor.attach_disk(machine, disk)
            assert seen(hypervisor, machine).disks["vdb"].chain == disk.chain
        with pytest.raises(DeviceExists):
            hypervisor.attach_disk(machine, ground.disk("vdb"))

    def test_detaching_what_is_not_there_is_done(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground)
        hypervisor.detach_disk(machine, "vdz")
        hypervisor.detach_nic(machine, "52:54:00:00:00:01")
        hypervisor.detach_cd_rom(machine, "sdz")

    def test_a_scsi_drive_is_plugged_in_and_a_sata_one_is_not(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        machine = self.running(hypervisor, ground)
        with pytest.raises(CannotPlug):
            hypervisor.attach_cd_rom(machine, CdRom(target="sdb", bus=Bus.SATA))
        with pytest.raises(CannotPlug):
            hypervisor.attach_disk(machine, ground.disk("sdb", bus=Bus.SATA))
        hypervisor.attach_disk(machine, ground.disk("sdc", bus=Bus.SCSI))
        assert "sdc" in seen(hypervisor, machine).disks

    def test_media_change(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground, cd_rom=True)
        for medium in ((ground.image(form="raw"),), ground.chain(2), (), ()):
            hypervisor.change_medium(machine, "sda", medium)
            assert seen(hypervisor, machine).cd_roms["sda"].medium == medium
        with pytest.raises(DeviceNotFound):
            hypervisor.change_medium(machine, "sdz", ())

    def test_limits_come_and_go(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground)
        for limits in (Limits(iops=50, bytes_per_second=2**20), Limits(iops=60), Limits()):
            hypervisor.set_limits(machine, "vda", limits)
            assert seen(hypervisor, machine).disks["vda"].limits == limits
        with pytest.raises(DeviceNotFound):
            hypervisor.set_limits(machine, "vdz", Limits())

    def test_a_disk_grows_and_does_not_shrink(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground)
        for _ in range(2):
            hypervisor.resize_disk(machine, "vda", size_bytes=2 * GIB)
            assert hypervisor.disk_sizes(machine) == {"vda": 2 * GIB}
        with pytest.raises(Invalid):
            hypervisor.resize_disk(machine, "vda", size_bytes=GIB)
        with pytest.raises(DeviceNotFound):
            hypervisor.resize_disk(machine, "vdz", size_bytes=GIB)

    def test_the_password_of_the_consoles_changes(self, hypervisor: Hypervisor, ground: Ground) -> None:
        definition = replace(ground.definition(), graphics=Graphics(spice=True, password="old-word"))
        hypervisor.start(definition)
        hypervisor.set_graphics_password(definition.machine, "new-word")
        assert "new-word" not in repr(seen(hypervisor, definition.machine))

    def test_consoles_that_were_started_without_a_password_take_none(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        machine = self.running(hypervisor, ground)
        with pytest.raises(CannotPlug):
            hypervisor.set_graphics_password(machine, "new-word")

    def test_without_an_agent_its_verbs_say_so_at_once(self, hypervisor: Hypervisor, ground: Ground) -> None:
        definition = replace(ground.definition(), agent=False)
        hypervisor.start(definition)
        for verb in (hypervisor.ping_agent, hypervisor.guest_addresses, hypervisor.guest_frozen):
            with pytest.raises(AgentUnavailable):
                verb(definition.machine)
        with pytest.raises(AgentUnavailable), hypervisor.hold(definition.machine, quiesce=True):
            pass
        assert not seen(hypervisor, definition.machine).held
