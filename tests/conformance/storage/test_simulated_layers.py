"""The simulated driver, held by the suite of all layer drivers."""

import pytest
from layer_driver_suite import LayerDriverSuite

from stratal.storage.drivers.contract import LayerDriver
from stratal.storage.drivers.simulated import Place, SimulatedDriver


class TestSimulatedLayers(LayerDriverSuite):
    @pytest.fixture
    def driver(self) -> LayerDriver:
        return SimulatedDriver(Place())

    def reopen(self, driver: LayerDriver) -> LayerDriver:
        assert isinstance(driver, SimulatedDriver)
        return SimulatedDriver(driver.place)
