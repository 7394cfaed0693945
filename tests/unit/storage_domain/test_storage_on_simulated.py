"""Any sequence of requests about disks in memory."""

from pathlib import Path

from hypothesis import HealthCheck, settings

from storage_machine import StorageMachine
from stratal.storage import Backend
from stratal.storage.drivers.simulated import Place, SimulatedDriver
from thoroughness import QUICK


class SimulatedStorage(StorageMachine):
    def backends(self, directory: Path) -> dict[str, Backend]:
        if not hasattr(self, "place"):
            self.place = Place()

        def canonical(place: str) -> str:
            return "memory"

        def prepare(place: str) -> None:
            """Memory is ready."""

        return {
            "simulated": Backend(
                canonical=canonical, prepare=prepare, open=lambda place: SimulatedDriver(self.place)
            )
        }


TestStorageOnSimulated = SimulatedStorage.TestCase
TestStorageOnSimulated.settings = settings(
    max_examples=2 if QUICK else 8,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
