"""Says how far the layers of a volume are, and decides to flatten it. Called by the reconcile engine.

The tree's reconciler does the work, and asks for a look here whenever the volume's layer has changed.
"""

from datetime import timedelta
from typing import Final

import msgspec

from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.storage.bs_policy.model import BS_POLICY
from stratal.storage.bs_snap.model import BS_SNAP
from stratal.storage.bs_volume.model import BS_VOLUME, MIB, BsVolumeSpec, BsVolumeStatus
from stratal.storage.bs_volume.use import Use, UseOf, ask_users
from stratal.storage.layers import NameKind, State
from stratal.storage.tree import rows
from stratal.storage.tree.disks import Disks
from stratal.storage.tree.telling import first_problem, made_for, tell

_WAIT: Final = timedelta(seconds=60)
"""How long to wait for the tree, which asks for a look by itself."""

_PROTOCOLS: Final = {"qcow2": "file"}
"""Of drivers that are not called by their protocol."""

Volume = Resource[BsVolumeSpec, BsVolumeStatus]


class BsVolumeReconciler:
    kind = BS_VOLUME
    concurrency = 8

    def __init__(self, disks: Disks, use_of: UseOf) -> None:
        self._disks = disks
        self._use_of = use_of
        self._volumes = Store(BS_VOLUME)
        self._snapshots = Store(BS_SNAP)
        self._policies = Store(BS_POLICY)

    def reconcile(self, resource: Volume, look: Look) -> Observed[BsVolumeStatus]:
        path, status = look.read(lambda tx: self._observe(tx, resource))
        tell(look, resource, status.problem)
        head = path[0].layer
        independent = made_for(path, resource.id)
        settled = head.state is State.SETTLED
        if settled:
            status.size_mb = head.size_bytes // MIB
            status.flattened = resource.spec.flattened and independent
        if head.state is not State.PLANNED:
            status.rollback_num = resource.spec.rollback_num
            if resource.spec.flattened and not independent:
                look.write(lambda tx: self._disks.flatten(tx, rows.name_of(NameKind.HEAD, resource.id)))
                settled = False
        if resource.spec.loaded != status.loaded:  # it is the users of a volume who want it open, or not
            look.write(lambda tx: self._volumes.mark(tx, resource.id, {"loaded": status.loaded}))
        before = resource.status
        if settled and (
            resource.spec.creation_finish is None
            or (before.size_mb, before.flattened) != (status.size_mb, status.flattened)
        ):
            look.write(lambda tx: self._tell_keeper(tx, status))
        return Observed(status=status, settled=settled, again_after=None if settled else _WAIT)

    def _tell_keeper(self, transaction: Transaction, status: BsVolumeStatus) -> None:
        """A guest may be waiting to open the volume, or to be asked how much it sees of it. Who looks reads
        the status, which is written first."""
        self._volumes.change_status(transaction, status.id, status, [])
        ask_users(transaction, self._use_of(transaction, status.id))

    def remove(self, resource: Volume, look: Look) -> Gone:
        look.write(lambda tx: self._disks.drop(tx, rows.name_of(NameKind.HEAD, resource.id)))
        return Gone()

    def _protocol(self, transaction: Transaction, resource: Volume, use: Use | None) -> str | None:
        """How an open volume is reached: as its user says, or as the driver of its policy has it."""
        if use is None or not use.mapping_num or use.protocol is not None:
            return None if use is None else use.protocol
        policy = self._policies.get(transaction, resource.spec.bs_policy_id, labels=False)
        return None if policy is None else _PROTOCOLS.get(policy.spec.driver, policy.spec.driver)

    def _observe(
        self, transaction: Transaction, resource: Volume
    ) -> tuple[list[rows.Placed], BsVolumeStatus]:
        """The layers of the volume, and of its status all that does not depend on how far they are."""
        name = rows.name_of(NameKind.HEAD, resource.id)
        path = rows.telling_path(transaction, name, volume_id=resource.id)
        exclusive, shared = rows.count_of(transaction, name)
        use = self._use_of(transaction, resource.id)
        of_volume = BS_SNAP.tables.spec.c.bs_volume_id == resource.id
        return path, msgspec.structs.replace(
            resource.status,
            allocated_size_byte=exclusive + shared,
            exclusive_size_byte=exclusive,
            bs_snap_num=self._snapshots.count(transaction, of_volume),
            mapping_num=use.mapping_num if use else 0,
            loaded=bool(use and use.mapping_num),
            protocol=self._protocol(transaction, resource, use),
            vm_disk_id=use.vm_disk_id if use else None,
            problem=first_problem(path),
        )
