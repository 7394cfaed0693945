"""The libvirt driver with real QEMU, held by the suite of all hypervisors. The guests are empty."""

from collections.abc import Generator
from pathlib import Path

import pytest
from hypervisor_ground import Ground, seen, top_of
from hypervisor_suite import HypervisorSuite, swept

from libvirt_host import LibvirtHost
from stratal.compute.domain import PowerState
from stratal.compute.drivers.errors import SnapshotFailed
from stratal.compute.drivers.libvirt import LibvirtHypervisor, memory

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("libvirt")]


class TestLibvirtHypervisor(HypervisorSuite):
    @pytest.fixture
    def hypervisor(self, libvirt_host: LibvirtHost) -> Generator[LibvirtHypervisor]:
        driver = libvirt_host.driver("one")
        with swept(driver):
            yield driver
        driver.close()

    @pytest.fixture
    def stranger(self, libvirt_host: LibvirtHost) -> Generator[LibvirtHypervisor]:
        driver = libvirt_host.driver("another")
        with swept(driver):
            yield driver
        driver.close()

    @pytest.fixture
    def ground(self, tmp_path: Path) -> Ground:
        return Ground(folder=tmp_path, real=True)

    def test_memory_that_was_written_whole_is_found_by_who_comes_after_a_kill(
        self, hypervisor: LibvirtHypervisor, ground: Ground
    ) -> None:
        machine, memory_file = self.running(hypervisor, ground), ground.memory_file()
        overlays = {"vda": ground.overlay(top_of(hypervisor, machine))}
        hypervisor.snapshot(machine, overlays, memory_file=memory_file)
        memory_file.rename(memory.partial_of(memory_file))  # as it was the moment before
        assert hypervisor.memory_bytes(memory_file) is None
        assert (hypervisor.finish_memory(memory_file) or 0) > 0
        assert memory_file.stat().st_mode & 0o777 == 0o600
        hypervisor.forget_memory(memory_file)
        assert hypervisor.finish_memory(memory_file) is None

    def test_memory_that_finds_no_room_is_not_begun(
        self, hypervisor: LibvirtHypervisor, ground: Ground, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine, memory_file = self.running(hypervisor, ground), ground.memory_file()
        chain = seen(hypervisor, machine).disks["vda"].chain
        overlays = {"vda": ground.overlay(top_of(hypervisor, machine))}
        monkeypatch.setattr(memory, "_BESIDE_BYTES", 2**60)
        with pytest.raises(SnapshotFailed, match="are free"):
            hypervisor.snapshot(machine, overlays, memory_file=memory_file)
        found = seen(hypervisor, machine)
        assert (found.disks["vda"].chain, found.power_state, found.held) == (chain, PowerState.RUNNING, False)
