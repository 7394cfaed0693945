"""Decisions, crashes and content, on the simulated driver."""

from hypothesis import settings
from layer_graph_machine import LayerGraphMachine

from stratal.storage.drivers.contract import LayerDriver
from stratal.storage.drivers.simulated import SimulatedDriver


class SimulatedLayerGraph(LayerGraphMachine):
    def make_driver(self) -> LayerDriver:
        return SimulatedDriver()

    def reopen(self, driver: LayerDriver) -> LayerDriver:
        assert isinstance(driver, SimulatedDriver)
        return SimulatedDriver(driver.place)


TestDecisionsCarriedOutAndKilledAnywhere = SimulatedLayerGraph.TestCase
TestDecisionsCarriedOutAndKilledAnywhere.settings = settings(
    max_examples=250, stateful_step_count=50, deadline=None
)
