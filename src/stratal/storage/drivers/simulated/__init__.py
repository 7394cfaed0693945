"""Layers in memory, of any size: for scale, for model tests and for everything that needs no real storage.

Held by the same conformance suite as the real drivers. Used by tests, and by the composition root where
the settings ask for a simulated place.
"""

from stratal.kernel.script import Script
from stratal.storage.drivers.simulated.driver import SimulatedDriver
from stratal.storage.drivers.simulated.place import Place

__all__ = ["Place", "Script", "SimulatedDriver"]
