"""Machines in memory: for scale, for model tests and for everything that needs no real guest.

Held by the same conformance suite as the real driver. Used by tests, and by the composition root where the
settings ask for a simulated host.
"""

from stratal.compute.drivers.simulated.driver import SimulatedHypervisor
from stratal.compute.drivers.simulated.world import Guest, World
from stratal.kernel.script import Script

__all__ = ["Guest", "Script", "SimulatedHypervisor", "World"]
