"""Points in time, and merges of chains. Part of `hypervisor_suite`."""

from dataclasses import replace

import pytest
from hypervisor_ground import Ground, seen, top_of
from hypervisor_suite_life import Devices

from stratal.compute.domain import (
    Bus,
    Cause,
    PowerState,
)
from stratal.compute.drivers.contract import Hypervisor
from stratal.compute.drivers.errors import (
    ChainDiffers,
    DeviceNotFound,
    HoldExpired,
    MachineBusy,
    MemoryNotKept,
    StartFailed,
)
from stratal.kernel.errors import Invalid
from stratal.kernel.operation import Cancelled


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

    def test_saved_memory_has_a_size_until_it_is_forgotten(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        machine, memory_file = self.running(hypervisor, ground), ground.memory_file()
        assert hypervisor.memory_bytes(memory_file) is None
        overlays = {"vda": ground.overlay(top_of(hypervisor, machine))}
        hypervisor.snapshot(machine, overlays, memory_file=memory_file)
        assert (hypervisor.memory_bytes(memory_file) or 0) > 0
        for _ in range(2):
            hypervisor.forget_memory(memory_file)
            assert hypervisor.memory_bytes(memory_file) is None
        with pytest.raises(MemoryNotKept):
            hypervisor.snapshot(machine, overlays, memory_file=memory_file)

    def test_memory_is_not_gone_on_from_with_other_devices(
        self, hypervisor: Hypervisor, ground: Ground
    ) -> None:
        definition = ground.definition()
        hypervisor.start(definition)
        machine, memory_file = definition.machine, ground.memory_file()
        hypervisor.snapshot(
            machine, {"vda": ground.overlay(top_of(hypervisor, machine))}, memory_file=memory_file
        )
        hypervisor.power_off(machine)
        for disks in ((), (*definition.disks, ground.disk("vdb"))):
            with pytest.raises(StartFailed):
                hypervisor.start(replace(definition, disks=disks), memory_file=memory_file)
            assert not seen(hypervisor, machine).alive
        hypervisor.start(definition)

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
