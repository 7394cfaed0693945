"""The services of this package put together. Called by the storage facade."""

from collections.abc import Callable, Mapping

from stratal.kernel.database import Database
from stratal.kernel.kind import Catalogue
from stratal.storage.block.attachments import Attachments
from stratal.storage.block.groups import Groups
from stratal.storage.block.jobs import Jobs
from stratal.storage.block.limits import LimitService
from stratal.storage.block.managing import Managing
from stratal.storage.block.messages import Messages
from stratal.storage.block.qos import Qos
from stratal.storage.block.recycling import RecycleBin
from stratal.storage.block.snapshots import BlockSnapshots
from stratal.storage.block.transfers import Transfers
from stratal.storage.block.types import VolumeTypes
from stratal.storage.block.uploads import Uploads
from stratal.storage.block.volumes import BlockVolumes
from stratal.storage.bs_policy.service import BsPolicyService
from stratal.storage.bs_snap.service import BsSnapService
from stratal.storage.bs_volume.quota import Quota
from stratal.storage.bs_volume.service import BsVolumeService
from stratal.storage.foreign import ForeignImages
from stratal.storage.vm_image.service import VmImageService


class Block:
    """Volumes and snapshots as OpenStack and Huawei know them."""

    def __init__(
        self,
        catalogue: Catalogue,
        database: Database,
        policies: BsPolicyService,
        volumes: BsVolumeService,
        snapshots: BsSnapService,
        quota: Quota,
        images: VmImageService,
        foreign: ForeignImages,
    ) -> None:
        self._database = database
        self.limits = LimitService(catalogue)
        self.types = VolumeTypes(policies)
        self.snapshots = BlockSnapshots(snapshots, self.limits)
        self.volumes = BlockVolumes(volumes, self.snapshots, self.types, self.limits)
        self.attachments = Attachments(self.volumes)
        self.transfers = Transfers(self.volumes, volumes, snapshots, self.limits, quota)
        self.groups = Groups(self.volumes, self.snapshots, self.limits)
        self.jobs = Jobs()
        self.qos = Qos()
        self.messages = Messages()
        self.recycle_bin = RecycleBin(database, self.volumes)
        self.managing = Managing(self.volumes, volumes, foreign)
        self.uploads = Uploads(self.volumes, images)

    @property
    def chores(self) -> Mapping[str, Callable[[], object]]:
        """What is to be done now and then."""
        return {
            "empty_recycle_bins": self.recycle_bin.empty,
            "forget_old_volume_jobs": lambda: self._database.write(self.jobs.forget_old),
        }
