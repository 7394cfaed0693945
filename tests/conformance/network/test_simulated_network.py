"""The simulated driver, held by the suite of all network drivers."""

import pytest
from network_suite import NetworkDriverSuite

from stratal.network.drivers.contract import NetworkDriver
from stratal.network.drivers.simulated import SimulatedNetwork


def simulated(driver: NetworkDriver) -> SimulatedNetwork:
    assert isinstance(driver, SimulatedNetwork)
    return driver


class TestSimulatedNetwork(NetworkDriverSuite):
    @pytest.fixture
    def driver(self) -> NetworkDriver:
        return SimulatedNetwork()

    def reopen(self, driver: NetworkDriver) -> NetworkDriver:
        return SimulatedNetwork(simulated(driver).host)

    def add_interface(self, driver: NetworkDriver, name: str, address: str | None = None) -> None:
        host = simulated(driver).host
        host.add_interface(name, len(host.interfaces), (address,) if address else ())

    def remove_interface(self, driver: NetworkDriver, name: str) -> None:
        del simulated(driver).host.interfaces[name]

    def add_foreign(self, driver: NetworkDriver, name: str) -> None:
        simulated(driver).host.foreign.add(name)
