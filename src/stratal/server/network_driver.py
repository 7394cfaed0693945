"""The driver of networks that this server has. Called by the composition root."""

import os

from stratal.kernel.settings import Settings
from stratal.network.drivers.contract import NetworkDriver
from stratal.network.drivers.linux import LinuxNetwork, tag_of
from stratal.network.drivers.simulated import SimulatedHost, SimulatedNetwork

_SIMULATED = ("sim0", "sim1", "sim2", "sim3")


def network_driver(settings: Settings) -> NetworkDriver:
    """The kernel of this host, or with --simulate a host that is memory."""
    if settings.simulate:
        return SimulatedNetwork(SimulatedHost.with_interfaces(_SIMULATED))
    return LinuxNetwork(
        tag=tag_of(f"{os.path.realpath(settings.data_directory)} {settings.node_name}"),
        directory=settings.network.run_directory,
        also=settings.network.interfaces,
    )
