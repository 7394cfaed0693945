"""The qcow2 driver, held by the suite of all layer drivers, and what only files can suffer."""

from pathlib import Path

import pytest
from layer_driver_suite import LayerDriverSuite

from stratal.storage.drivers.contract import LayerDriver
from stratal.storage.drivers.qcow2 import Qcow2Driver


@pytest.fixture
def driver(tmp_path: Path) -> Qcow2Driver:
    directory = tmp_path / "place"
    directory.mkdir()
    driver = Qcow2Driver(directory)
    driver.prepare()
    return driver


class TestQcow2Layers(LayerDriverSuite):
    @pytest.fixture
    def driver(self, tmp_path: Path) -> LayerDriver:
        directory = tmp_path / "place"
        directory.mkdir()
        driver = Qcow2Driver(directory)
        driver.prepare()
        return driver
