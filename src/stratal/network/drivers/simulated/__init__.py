"""Networks in memory, for tests and for trying Stratal out."""

from stratal.network.drivers.simulated.driver import SimulatedNetwork
from stratal.network.drivers.simulated.host import SimulatedHost

__all__ = ["SimulatedHost", "SimulatedNetwork"]
