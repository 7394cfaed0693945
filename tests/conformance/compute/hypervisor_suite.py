"""What every hypervisor promises, whatever runs the machines. A driver's test module inherits it.

Nothing here needs an operating system in the guest; what does is in the modules of the real driver.
"""

from collections.abc import Generator
from contextlib import contextmanager

import pytest
from hypervisor_ground import Ground
from hypervisor_suite_crashing import Crashes
from hypervisor_suite_points import Chains

from stratal.compute.drivers.contract import Hypervisor


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
