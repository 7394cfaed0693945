"""The guests of this host: the reconciler of machines, and what wakes it. Built by the composition root."""

from sqlalchemy import or_, select

from stratal.compute.cleanups import ThisNode
from stratal.compute.domain import CephCluster, PowerState
from stratal.compute.drivers.contract import Hypervisor
from stratal.compute.guests.defining import Places
from stratal.compute.guests.devices import Devices
from stratal.compute.guests.memories import SUFFIX
from stratal.compute.guests.watching import Watcher
from stratal.compute.virtual_machine.model import VIRTUAL_MACHINE, WantedPower
from stratal.compute.virtual_machine.reconcile import Timing, VirtualMachineReconciler
from stratal.compute.vm_disk.model import VM_DISK
from stratal.compute.vm_snap.model import VM_SNAP
from stratal.kernel import work
from stratal.kernel.database import Database
from stratal.kernel.transaction import Transaction
from stratal.network import Ports
from stratal.storage import Storage


class Guests:
    """What runs machines on this host."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        ports: Ports,
        hypervisor: Hypervisor,
        *,
        places: Places,
        ceph: CephCluster | None,
        this_node: ThisNode,
        timing: Timing,
    ) -> None:
        self._database = database
        self._storage = storage
        self._places = places
        self._hypervisor = hypervisor
        self._watcher = Watcher(hypervisor, database)
        self.reconciler = VirtualMachineReconciler(
            hypervisor,
            storage.lender,
            Devices(hypervisor, storage.lender, ports, ceph),
            places=places,
            this_node=this_node,
            timing=timing,
            watcher=self._watcher,
        )

    def start(self) -> None:
        """Take every disk that a guest may have open for lent, and ask for a look at every machine: guests
        outlive us. Before the engine starts."""

        def begin(transaction: Transaction) -> None:
            spec, status = VIRTUAL_MACHINE.tables.spec, VIRTUAL_MACHINE.tables.status
            alive = (PowerState.RUNNING.value, PowerState.PAUSED.value)
            disks = VM_DISK.tables.spec.c
            open_disks = (
                select(disks.bs_volume_id, disks.vm_id)
                .join_from(VM_DISK.tables.spec, spec, disks.vm_id == spec.c.id)
                .join(status, status.c.id == spec.c.id)
                .where(
                    disks.deleted_at.is_(None),
                    or_(spec.c.power_state == WantedPower.RUNNING.value, status.c.power_state.in_(alive)),
                )
            )
            for row in transaction.execute(open_disks).all():
                self._storage.lender.assume(transaction, row.bs_volume_id, (VIRTUAL_MACHINE.name, row.vm_id))
            machines = select(spec.c.id).where(spec.c.deleted_at.is_(None))
            for id in transaction.execute(machines).scalars().all():
                work.ask(transaction, VIRTUAL_MACHINE.name, id)

        self._places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._database.write(begin)
        self._reclaim()

    def _reclaim(self) -> None:
        """Remove memory whose snapshot is gone. What a running machine writes has its snapshot still."""
        found = {name.partition(".")[0] for name in self._memory_files()}
        if not found:
            return
        columns = VM_SNAP.tables.spec.c
        known = self._database.read(
            lambda tx: tx.execute(select(columns.id).where(columns.deleted_at.is_(None))).scalars().all()
        )
        for id in found - {str(each) for each in known}:
            self._hypervisor.forget_memory(self._places.state / f"{id}{SUFFIX}")

    def _memory_files(self) -> list[str]:
        return [path.name for path in self._places.state.glob(f"*{SUFFIX}*") if path.is_file()]

    def close(self) -> None:
        """Attend to guests no more; they run on. After the engine has stopped."""
        self._watcher.close()
