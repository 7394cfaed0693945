"""The libvirt driver with real QEMU, held by the suite of all hypervisors. The guests are empty."""

from collections.abc import Generator
from pathlib import Path

import pytest
from hypervisor_ground import Ground
from hypervisor_suite import HypervisorSuite, swept

from libvirt_host import LibvirtHost
from stratal.compute.drivers.libvirt import LibvirtHypervisor

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
