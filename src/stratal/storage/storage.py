"""The storage domain put together. Called by the composition root and by faces."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import select
from structlog import get_logger

from stratal.kernel import work
from stratal.kernel.access import SYSTEM
from stratal.kernel.database import Database
from stratal.kernel.errors import StratalError
from stratal.kernel.kind import AnyKind, Catalogue
from stratal.kernel.reconcile import AnyReconciler
from stratal.kernel.transaction import Transaction
from stratal.storage.background import Background
from stratal.storage.block.attachments import with_attachments
from stratal.storage.block.block import Block
from stratal.storage.bs_policy.model import BS_POLICY, BsPolicyCreate
from stratal.storage.bs_policy.reconcile import BsPolicyReconciler
from stratal.storage.bs_policy.service import FIRST_POLICY, BsPolicyService
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_snap.reconcile import BsSnapReconciler
from stratal.storage.bs_snap.service import BsSnapService
from stratal.storage.bs_volume.model import BS_VOLUME
from stratal.storage.bs_volume.quota import ProjectChanged, Quota, nobody_counts
from stratal.storage.bs_volume.reconcile import BsVolumeReconciler
from stratal.storage.bs_volume.service import BsVolumeService
from stratal.storage.bs_volume.use import UseOf, detached
from stratal.storage.foreign import ForeignImages
from stratal.storage.lending.lender import Lender
from stratal.storage.lending.lent import Lent
from stratal.storage.os_release.model import OS_RELEASE
from stratal.storage.os_release.reconcile import OsReleaseReconciler
from stratal.storage.os_release.service import OsReleaseService
from stratal.storage.places import Backend, Places
from stratal.storage.tree import gone
from stratal.storage.tree.counting import Counting
from stratal.storage.tree.covering import Covering
from stratal.storage.tree.disks import Disks
from stratal.storage.tree.model import TREE
from stratal.storage.tree.reconcile import TreeReconciler
from stratal.storage.tree.remaking import remake
from stratal.storage.tree.view import TreeView
from stratal.storage.vm_image.images import ImageSettings, VmImages
from stratal.storage.vm_image.importing import Imports
from stratal.storage.vm_image.kept_disk import KeptDiskOf, no_machines
from stratal.storage.vm_image.model import VM_IMAGE

log: Any = get_logger(__name__)

KINDS: tuple[AnyKind, ...] = (BS_POLICY, BS_VOLUME, BS_SNAP, OS_RELEASE, VM_IMAGE, TREE)

RECLAIM_EVERY_SECONDS: Final = 3600.0
_WORKERS: Final = 2
"""Long operations at a time. Each keeps a disk and, while it converts, a processor busy."""


class Storage:
    """The services and reconcilers of block storage.

    `backends` are the drivers that this process has, by name; `default_driver` is the one for policies that
    name none; `images` says where images come from and how large they may be; `use_of` tells who has a
    volume open, `kept_disk_of` which disks are in snapshots of machines; `project_changed` is told when a
    project uses more or less storage.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        database: Database,
        backends: Mapping[str, Backend],
        *,
        default_driver: str,
        images: ImageSettings,
        use_of: UseOf = detached,
        kept_disk_of: KeptDiskOf = no_machines,
        project_changed: ProjectChanged = nobody_counts,
    ) -> None:
        use_of = with_attachments(use_of)
        self._database = database
        self._reclaimed_at: float | None = None
        self.places = Places(backends)
        self.background = Background(workers=_WORKERS, ended=self._ask_for_tree)
        self._covering = Covering(self.background, self._ask_for_tree)
        self.lent = Lent()
        self.lender = Lender(self.places, self.background, self.lent)
        self.disks = Disks(self.lent)
        self.quota = Quota(catalogue, project_changed)
        self.bs_policies = BsPolicyService(catalogue, self.places, default_driver=default_driver)
        foreign = ForeignImages(database, self.places, Imports(images.import_directories))
        self.bs_volumes = BsVolumeService(catalogue, self.disks, self.quota, use_of, foreign)
        self.bs_snaps = BsSnapService(catalogue, self.disks)
        self.os_releases = OsReleaseService(catalogue)
        self.images = VmImages(
            catalogue,
            database,
            images,
            disks=self.disks,
            places=self.places,
            background=self.background,
            foreign=foreign,
            kept_disk_of=kept_disk_of,
        )
        self.block = Block(
            catalogue,
            database,
            self.bs_policies,
            self.bs_volumes,
            self.bs_snaps,
            self.quota,
            self.images.service,
            foreign,
        )
        self.trees = TreeView(self.bs_volumes, self.background)
        self.reconcilers: list[AnyReconciler] = [
            BsPolicyReconciler(self.places),
            BsVolumeReconciler(self.disks, use_of),
            BsSnapReconciler(self.disks),
            OsReleaseReconciler(),
            self.images.reconciler,
            TreeReconciler(self.places, self.background, self.lent, Counting(self._covering)),
        ]

    def start(self) -> None:
        """Seed what every installation has, and ask for a look at every tree. Before the engine starts."""
        first: BsPolicyCreate | None = None
        if self._database.read(self.bs_policies.is_first_start):
            first = self.bs_policies.prepare_create(
                SYSTEM, BsPolicyCreate(name=FIRST_POLICY, description="Made at the first start.")
            )

        def write(transaction: Transaction) -> None:
            if first is not None and self.bs_policies.is_first_start(transaction):
                self.bs_policies.create(transaction, SYSTEM, first)
            self.os_releases.seed(transaction)
            trees = TREE.tables.spec.c
            # what ran in the background when the last process ended is nowhere but in the layers
            for (id,) in transaction.execute(select(trees.id).where(trees.deleted_at.is_(None))):
                work.ask(transaction, TREE.name, id)

        self._database.write(write)
        remake(self._database, self.places)
        self.images.start()
        if first is None:  # a place that nothing was ever kept in has no leftovers
            self.background.submit(self.reclaim)

    def close(self) -> None:
        """Stop what runs in the background. After the engine has stopped."""
        self.images.close()
        self._covering.close()
        self.background.close()

    @property
    def chores(self) -> Mapping[str, Callable[[], object]]:
        """What is to be done now and then."""
        return {
            "reclaim_storage": self._reclaim_now_and_then,
            "sweep_layers": self.sweep,
            **self.block.chores,
        }

    def reclaim(self) -> None:
        """Remove what interrupted work left in any place that a policy names."""
        self._reclaimed_at = time.monotonic()
        lent = self.lent.layers()
        policies = self._database.read(lambda tx: self.bs_policies.store.find(tx, labels=False))
        for driver, place in sorted({(policy.spec.driver, policy.spec.place) for policy in policies}):
            try:
                removed = self.places.driver(driver, place).reclaim(spare=lent)
            except StratalError as error:
                log.warning("storage_not_reclaimed", driver=driver, place=place, error=str(error))
                continue
            if removed:
                log.info("storage_reclaimed", driver=driver, place=place, leftovers=len(removed))

    def sweep(self) -> None:
        """Remove layers that came back after they had been forgotten."""
        gone.sweep(self._database, self.places)

    def _reclaim_now_and_then(self) -> None:
        last = self._reclaimed_at
        if last is None or time.monotonic() - last >= RECLAIM_EVERY_SECONDS:
            self.reclaim()

    def _ask_for_tree(self, tree_id: int) -> None:
        self._database.write(lambda tx: work.ask(tx, TREE.name, tree_id))
