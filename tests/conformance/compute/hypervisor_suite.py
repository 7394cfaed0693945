"""What every hypervisor promises, whatever runs the machines. A driver's test module inherits it.

Nothing here needs an operating system in the guest; what does is in the modules of the real driver.
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypervisor_ground import GIB, Ground, new_id
from hypervisor_suite_crashing import Crashes

from stratal.compute.domain import (
    Bus,
    Cause,
    CdRom,
    Disk,
    FileImage,
    Graphics,
    Limits,
    Machine,
    MachineId,
    PowerState,
)
from stratal.compute.drivers.contract import Happening, Hypervisor, MachineEvent
from stratal.compute.drivers.errors import (
    AgentUnavailable,
    CannotPlug,
    ChainDiffers,
    DeviceExists,
    DeviceNotFound,
    HoldExpired,
    MachineBusy,
    MachineForeign,
    MachineNotFound,
    MachineNotRunning,
    MachineRunning,
)
from stratal.kernel.errors import Invalid
from stratal.kernel.operation import Cancelled


def seen(hypervisor: Hypervisor, machine: MachineId) -> Machine:
    found = hypervisor.observe(machine)
    assert found is not None
    return found


def top_of(hypervisor: Hypervisor, machine: MachineId, target: str = "vda") -> FileImage:
    top = seen(hypervisor, machine).disks[target].chain[0]
    assert isinstance(top, FileImage)
    return top


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

    def test_without_an_agent_its_verbs_say_so_at_once(self, hypervisor: Hypervisor, ground: Ground) -> None:
        definition = replace(ground.definition(), agent=False)
        hypervisor.start(definition)
        for verb in (hypervisor.ping_agent, hypervisor.guest_addresses, hypervisor.guest_frozen):
            with pytest.raises(AgentUnavailable):
                verb(definition.machine)
        with pytest.raises(AgentUnavailable), hypervisor.hold(definition.machine, quiesce=True):
            pass
        assert not seen(hypervisor, definition.machine).held


class Points(Devices):
    def test_a_snapshot_puts_overlays_on_all_disks(self, hypervisor: Hypervisor, ground: Ground) -> None:
        disks = [ground.disk("vda"), ground.disk("vdb", length=2), ground.disk("sdc", bus=Bus.SCSI)]
        machine = self.running(hypervisor, ground, *disks, cd_rom=True)
        overlays = {disk.target: ground.overlay(disk.chain[0]) for disk in disks}  # pyright: ignore
        for _ in range(2):
            hypervisor.snapshot(machine, overlays)
            found = seen(hypervisor, machine)
            for disk in disks:
                assert found.disks[disk.target].chain == (overlays[disk.target], *disk.chain)
            assert (found.power_state, found.held) == (PowerState.RUNNING, False)

    def test_a_snapshot_of_some_disks_leaves_the_others(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground, ground.disk("vda"), ground.disk("vdb"))
        other = seen(hypervisor, machine).disks["vdb"].chain
        hypervisor.snapshot(machine, {"vda": ground.overlay(top_of(hypervisor, machine))})
        assert seen(hypervisor, machine).disks["vdb"].chain == other

    def test_snapshots_follow_one_another(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground)
        for _ in range(4):
            hypervisor.snapshot(machine, {"vda": ground.overlay(top_of(hypervisor, machine))})
        assert len(seen(hypervisor, machine).disks["vda"].chain) == 5

    def test_a_paused_machine_stays_paused_over_a_snapshot(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        machine = self.running(hypervisor, ground)
        hypervisor.pause(machine)
        hypervisor.snapshot(machine, {"vda": ground.overlay(top_of(hypervisor, machine))})
        assert seen(hypervisor, machine).power_state is PowerState.PAUSED

    def test_a_snapshot_that_is_half_there_is_not_taken_for_done(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        machine = self.running(hypervisor, ground, ground.disk("vda"), ground.disk("vdb"))
        first = ground.overlay(top_of(hypervisor, machine))
        second = ground.overlay(top_of(hypervisor, machine, "vdb"))
        hypervisor.snapshot(machine, {"vda": first})
        with pytest.raises(ChainDiffers):
            hypervisor.snapshot(machine, {"vda": first, "vdb": second})
        with pytest.raises(DeviceNotFound):
            hypervisor.snapshot(machine, {"vdz": first})

    def test_memory_is_saved_and_gone_on_from(self, hypervisor: Hypervisor, ground: Ground) -> None:
        definition = ground.definition()
        hypervisor.start(definition)
        machine, memory_file = definition.machine, ground.memory_file()
        base = seen(hypervisor, machine).disks["vda"].chain
        overlays = {"vda": ground.overlay(top_of(hypervisor, machine))}
        for _ in range(2):
            hypervisor.snapshot(machine, overlays, memory_file=memory_file)
            found = seen(hypervisor, machine)
            assert found.disks["vda"].chain == (overlays["vda"], *base)
            assert (found.power_state, found.held) == (PowerState.RUNNING, False)
        hypervisor.power_off(machine)
        branch = (ground.overlay(definition.disks[0].chain[0]), *base)  # pyright: ignore
        hypervisor.start(
            replace(definition, disks=(replace(definition.disks[0], chain=branch),)), memory_file=memory_file
        )
        found = seen(hypervisor, machine)
        assert (found.power_state, found.disks["vda"].chain) == (PowerState.RUNNING, branch)

    def test_a_frozen_guest_is_not_saved(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground)
        with pytest.raises(Invalid):
            hypervisor.snapshot(machine, {}, memory_file=ground.memory_file(), quiesce=True)

    def test_a_held_machine_stands_still_and_then_goes_on(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        machine = self.running(hypervisor, ground)
        with hypervisor.hold(machine):
            found = seen(hypervisor, machine)
            assert (found.power_state, found.cause, found.held) == (PowerState.PAUSED, Cause.HELD, True)
            hypervisor.snapshot(machine, {"vda": ground.overlay(top_of(hypervisor, machine))})
            with pytest.raises(MachineBusy), hypervisor.hold(machine):
                pass
            with pytest.raises(MachineBusy):
                hypervisor.resume(machine)
            with pytest.raises(MachineBusy):
                hypervisor.settle(machine)
        found = seen(hypervisor, machine)
        assert (found.power_state, found.held) == (PowerState.RUNNING, False)
        assert len(found.disks["vda"].chain) == 2
        assert hypervisor.settle(machine) is False

    def test_a_machine_goes_on_when_its_holder_fails(self, hypervisor: Hypervisor, ground: Ground) -> None:
        machine = self.running(hypervisor, ground)
        with pytest.raises(ZeroDivisionError), hypervisor.hold(machine):
            raise ZeroDivisionError
        assert seen(hypervisor, machine).power_state is PowerState.RUNNING

    def test_a_machine_that_was_paused_before_it_was_held_stays_so(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        machine = self.running(hypervisor, ground)
        hypervisor.pause(machine)
        with hypervisor.hold(machine):
            pass
        found = seen(hypervisor, machine)
        assert (found.power_state, found.held) == (PowerState.PAUSED, False)

    def test_a_machine_that_is_paused_while_it_is_held_stays_so(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        machine = self.running(hypervisor, ground)
        with hypervisor.hold(machine):
            hypervisor.pause(machine)
        found = seen(hypervisor, machine)
        assert (found.power_state, found.held) == (PowerState.PAUSED, False)

    def test_a_machine_goes_on_by_itself_when_it_was_held_for_too_long(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        machine = self.running(hypervisor, ground)
        with pytest.raises(HoldExpired), hypervisor.hold(machine, seconds=0.3):
            self.soon(lambda: seen(hypervisor, machine).power_state is PowerState.RUNNING)
        assert not seen(hypervisor, machine).held

    def test_a_machine_that_ends_while_it_is_held_has_ended(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        machine = self.running(hypervisor, ground)
        with hypervisor.hold(machine):
            hypervisor.power_off(machine)
        found = seen(hypervisor, machine)
        assert (found.power_state, found.held) == (PowerState.STOPPED, False)


class Chains(Points):
    def test_a_layer_in_the_middle_is_committed(self, hypervisor: Hypervisor, ground: Ground) -> None:
        disk = ground.disk(length=5)
        machine = self.running(hypervisor, ground, disk)
        for _ in range(2):
            hypervisor.commit(machine, "vda", top=disk.chain[2], base=disk.chain[3]).run()
            chain = (*disk.chain[:2], *disk.chain[3:])
            assert seen(hypervisor, machine).disks["vda"].chain == chain
        assert hypervisor.jobs(machine) == {}

    def test_several_layers_are_committed_at_once(self, hypervisor: Hypervisor, ground: Ground) -> None:
        disk = ground.disk(length=5)
        machine = self.running(hypervisor, ground, disk)
        hypervisor.commit(machine, "vda", top=disk.chain[1], base=disk.chain[4]).run()
        assert seen(hypervisor, machine).disks["vda"].chain == (disk.chain[0], disk.chain[4])

    def test_the_layer_that_is_written_to_is_committed(self, hypervisor: Hypervisor, ground: Ground) -> None:
        disk = ground.disk(length=3)
        machine = self.running(hypervisor, ground, disk)
        for _ in range(2):
            hypervisor.commit(machine, "vda", top=disk.chain[0], base=disk.chain[1]).run()
            assert seen(hypervisor, machine).disks["vda"].chain == disk.chain[1:]
        hypervisor.snapshot(machine, {"vda": ground.overlay(top_of(hypervisor, machine))})
        assert len(seen(hypervisor, machine).disks["vda"].chain) == 3

    def test_a_disk_is_pulled_off_its_base(self, hypervisor: Hypervisor, ground: Ground) -> None:
        disk = ground.disk(length=4)
        machine = self.running(hypervisor, ground, disk)
        for base, left in ((disk.chain[3], (disk.chain[0], disk.chain[3])), (None, (disk.chain[0],))):
            for _ in range(2):
                hypervisor.pull(machine, "vda", base=base).run()
                assert seen(hypervisor, machine).disks["vda"].chain == left

    def test_layers_that_are_not_there_are_not_merged(self, hypervisor: Hypervisor, ground: Ground) -> None:
        disk = ground.disk(length=3)
        machine = self.running(hypervisor, ground, disk)
        with pytest.raises(ChainDiffers):
            hypervisor.commit(machine, "vda", top=disk.chain[0], base=ground.image()).run()
        with pytest.raises(ChainDiffers):
            hypervisor.commit(machine, "vda", top=disk.chain[2], base=disk.chain[1]).run()
        with pytest.raises(ChainDiffers):
            hypervisor.pull(machine, "vda", base=ground.image()).run()
        with pytest.raises(DeviceNotFound):
            hypervisor.pull(machine, "vdz", base=None).run()
        assert seen(hypervisor, machine).disks["vda"].chain == disk.chain

    def test_a_cancelled_commit_leaves_the_chain(self, hypervisor: Hypervisor, ground: Ground) -> None:
        disk = ground.disk(length=3)
        machine = self.running(hypervisor, ground, disk)
        operation = hypervisor.commit(machine, "vda", top=disk.chain[0], base=disk.chain[1])
        operation.cancel()
        with pytest.raises(Cancelled):
            operation.run()
        assert seen(hypervisor, machine).disks["vda"].chain == disk.chain
        assert hypervisor.jobs(machine) == {}


class HypervisorSuite(Chains, Crashes):
    """All of it."""

    @pytest.fixture
    def hypervisor(self) -> Hypervisor:
        raise NotImplementedError("a driver's test module overrides this fixture")

    @pytest.fixture
    def stranger(self) -> Hypervisor:
        """The same host, used by another installation."""
        raise NotImplementedError("a driver's test module overrides this fixture")

    @pytest.fixture
    def ground(self) -> Ground:
        raise NotImplementedError("a driver's test module overrides this fixture")


@contextmanager
def swept(hypervisor: Hypervisor) -> Generator[None]:
    """Ends all machines that a test leaves running."""
    try:
        yield
    finally:
        for machine in hypervisor.survey():
            hypervisor.power_off(machine)
            hypervisor.remove(machine)
