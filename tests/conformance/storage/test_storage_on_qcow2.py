"""Any sequence of requests about disks in real qcow2 files."""

from pathlib import Path

from hypothesis import HealthCheck, settings

from storage_installation import qcow2
from storage_machine import StorageMachine
from stratal.storage import Backend


class Qcow2Storage(StorageMachine):
    def backends(self, directory: Path) -> dict[str, Backend]:
        disks = directory / "disks"
        disks.mkdir(exist_ok=True)
        return {"qcow2": qcow2(disks)}


TestStorageOnQcow2 = Qcow2Storage.TestCase
TestStorageOnQcow2.settings = settings(
    max_examples=4, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
