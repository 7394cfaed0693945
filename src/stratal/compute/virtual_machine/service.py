"""What may be asked of virtual machines. Called by faces.

A machine is created with its disks, interfaces and drives in one transaction, each through the service of
its kind, as if it had been asked for by itself.
"""

from typing import Any

import msgspec

from stratal.compute import children
from stratal.compute.cleanups import Jobs
from stratal.compute.machines import Machine
from stratal.compute.virtual_machine import processor
from stratal.compute.virtual_machine.bodies import (
    VerifyGraphicsPassword,
    VirtualMachineClone,
    VirtualMachineCreate,
    VirtualMachineFlatten,
    VirtualMachineMigrate,
    VirtualMachineReboot,
    VirtualMachineRollback,
    VirtualMachineStart,
    VirtualMachineStop,
    VirtualMachineUpdate,
)
from stratal.compute.virtual_machine.cloning import Cloning
from stratal.compute.virtual_machine.model import (
    VIRTUAL_MACHINE,
    VirtualMachineSpec,
    VirtualMachineStatus,
    WantedPower,
)
from stratal.compute.virtual_machine.parts import Prepared, add_parts, remove_parts
from stratal.compute.virtual_machine.passwords import Decrypt, check_password, matches, read_password
from stratal.compute.virtual_machine.rollback import Rollback
from stratal.compute.virtual_machine.time_zones import check_time_zone
from stratal.compute.virtual_machine.topology import FIELDS, complete
from stratal.compute.vm_cd_rom.service import VmCdRomService
from stratal.compute.vm_disk.service import VmDiskService
from stratal.compute.vm_disk.volumes import DiskVolumes
from stratal.compute.vm_nic.service import VmNicService
from stratal.compute.vm_snap.service import VmSnapService
from stratal.kernel.access import Access
from stratal.kernel.actions import action
from stratal.kernel.database import Database
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Store
from stratal.kernel.transaction import Transaction

_NOT_COLUMNS = frozenset(
    {
        *("vm_disks", "vm_nics", "vm_cd_roms"),
        *("graphics_password", "encrypted_graphics_password", "rsa_key_id"),
    }
)


class VirtualMachineService(ResourceService[VirtualMachineSpec, VirtualMachineStatus]):
    create_body = VirtualMachineCreate
    update_body = VirtualMachineUpdate
    prepares = True

    def __init__(
        self,
        catalogue: Catalogue,
        database: Database,
        *,
        disks: VmDiskService,
        nics: VmNicService,
        cd_roms: VmCdRomService,
        snaps: VmSnapService,
        volumes: DiskVolumes,
        jobs: Jobs,
        decrypt: Decrypt,
    ) -> None:
        super().__init__(VIRTUAL_MACHINE, catalogue)
        self._database = database
        self._disks, self._nics, self._cd_roms, self._snaps = disks, nics, cd_roms, snaps
        self._volumes = volumes
        self._jobs = jobs
        self._decrypt = decrypt
        self._cloning = Cloning(snaps, cd_roms, volumes)
        self._rollback = Rollback(disks, nics, cd_roms, snaps, volumes)

    # -- before the transaction ----------------------------------------------------------------------

    def prepare_create(self, access: Access, body: VirtualMachineCreate) -> Prepared:
        return Prepared(body=body, password=self._password(body))

    def prepare_update(self, access: Access, id: int, body: VirtualMachineUpdate) -> Prepared:
        return Prepared(body=body, password=self._password(body))

    def verify_password(self, access: Access, id: int, body: VerifyGraphicsPassword) -> bool:
        """Whether this is what the machine's consoles ask for. What cannot be decrypted is not."""

        def expected(transaction: Transaction) -> str:
            self.show(transaction, access, id)
            return self.store.private(transaction, id, "graphics_password") or ""

        password = self._database.read(expected)
        clear, key = body.password, body.rsa_key_id
        if isinstance(clear, str) and body.encrypted_password is msgspec.UNSET and key is msgspec.UNSET:
            return matches(password, clear)
        if isinstance(body.encrypted_password, str) and isinstance(key, str) and clear is msgspec.UNSET:
            found = self._decrypt(key, body.encrypted_password)
            return matches(password, found or "") and found is not None
        raise Invalid(
            field="spec", reason="needs either a password, or encrypted_password together with rsa_key_id"
        )

    # -- hooks ---------------------------------------------------------------------------------------

    def create(self, transaction: Transaction, access: Access, body: Prepared) -> Machine:
        """A new machine, with all that belongs to it."""
        machine = super().create(transaction, access, body)
        add_parts(
            transaction,
            access,
            machine,
            body,
            disks=self._disks,
            nics=self._nics,
            cd_roms=self._cd_roms,
        )
        return self.show(transaction, access, machine.id)

    def new(self, transaction: Transaction, access: Access, body: Prepared) -> Change:
        if body.copy is not None:
            return body.copy
        asked = body.body
        spec: dict[str, Any] = {
            name: value for name, value in given(asked).items() if name not in _NOT_COLUMNS
        }
        topology = {name: spec[name] for name in (*FIELDS, "cpu_num") if name in spec}
        check_time_zone(spec["time_zone"])
        password = self._checked_password(body.password, "", needed=spec["graphics_auth_enabled"])
        return {
            **spec,
            **complete(topology),
            **processor.complete(spec),
            "boot_device_order": _boot_order(spec["boot_device_order"]),
            "flattened": True,
            "reboot_num": 0,
            "rollback_num": 0,
            "graphics_password": password,
            "graphics_password_num": int(bool(password)),
            "stop_forced": False,
            "reboot_forced": False,
        }

    def changed(self, transaction: Transaction, access: Access, resource: Machine, body: Prepared) -> Change:
        spec: dict[str, Any] = {
            name: value for name, value in given(body.body).items() if name not in _NOT_COLUMNS
        }
        topology = {name: spec[name] for name in (*FIELDS, "cpu_num") if name in spec}
        if topology:
            spec |= complete(topology, {name: getattr(resource.spec, name) for name in FIELDS})
        if not spec.keys().isdisjoint(processor.FIELDS):
            before = {name: getattr(resource.spec, name) for name in processor.FIELDS}
            spec |= processor.complete(spec, before)
        if "boot_device_order" in spec:
            spec["boot_device_order"] = _boot_order(spec["boot_device_order"])
        if "time_zone" in spec:
            check_time_zone(spec["time_zone"])
        now = self.store.private(transaction, resource.id, "graphics_password")
        needed = spec.get("graphics_auth_enabled", resource.spec.graphics_auth_enabled)
        password = self._checked_password(body.password, now, needed=needed)
        if password != now:
            number = self.store.private(transaction, resource.id, "graphics_password_num")
            spec |= {"graphics_password": password, "graphics_password_num": number + 1}
        return spec

    def before_delete(self, transaction: Transaction, access: Access, resource: Machine) -> None:
        self.store.mark(transaction, resource.id, {"resume_vm_snap_id": None})
        for snapshot in self._snaps.of_machine(transaction, resource.id):
            self._snaps.delete(transaction, access, snapshot.id)
        self._jobs.clean_up_machine(transaction, resource)
        remove_parts(
            transaction,
            access,
            resource,
            disks=self._disks,
            nics=self._nics,
            cd_roms=self._cd_roms,
        )

    # -- actions -------------------------------------------------------------------------------------

    @action("start", VirtualMachineStart)
    def start(self, transaction: Transaction, access: Access, id: int, body: VirtualMachineStart) -> Machine:
        """Let a virtual machine run."""
        machine = self.changeable(transaction, access, id)
        change: dict[str, Any] = {"power_state": WantedPower.RUNNING, "stop_forced": False, **given(body)}
        return self.change(transaction, access, machine, "start", change)

    @action("stop", VirtualMachineStop)
    def stop(self, transaction: Transaction, access: Access, id: int, body: VirtualMachineStop) -> Machine:
        """Ask a guest to shut down, and switch it off if it does not."""
        machine = self.changeable(transaction, access, id)
        change = {"power_state": WantedPower.STOPPED, "stop_forced": body.force}
        return self.change(transaction, access, machine, "stop", change)

    @action("reboot", VirtualMachineReboot)
    def reboot(
        self, transaction: Transaction, access: Access, id: int, body: VirtualMachineReboot
    ) -> Machine:
        """Let a guest boot again."""
        machine = self.changeable(transaction, access, id)
        if machine.spec.power_state is not WantedPower.RUNNING:
            raise Conflict(reason=f"virtual_machine {id} is not to run: start it instead")
        change = {"reboot_num": machine.spec.reboot_num + 1, "reboot_forced": body.force}
        return self.change(transaction, access, machine, "reboot", change)

    @action("flatten", VirtualMachineFlatten)
    def flatten(
        self, transaction: Transaction, access: Access, id: int, body: VirtualMachineFlatten
    ) -> Machine:
        """Copy into the disks of a virtual machine all that they share with others."""
        machine = self.changeable(transaction, access, id)
        for disk in children.disks(transaction, id):
            if disk.spec.deletion_begin is None:
                self._volumes.flatten(transaction, access, disk.spec.bs_volume_id)
        return self.change(transaction, access, machine, "flatten", {"flattened": True})

    @action("rollback", VirtualMachineRollback)
    def rollback(
        self, transaction: Transaction, access: Access, id: int, body: VirtualMachineRollback
    ) -> Machine:
        """Let a virtual machine be again what it was at a snapshot. All snapshots stay.

        Its guest goes on from the memory that was kept; without memory it must be stopped, and stays so.
        """
        machine = self.changeable(transaction, access, id)
        frozen = self._rollback.carry_out(transaction, access, machine, body.vm_snap_id, memory=body.memory)
        machine = self.show(transaction, access, id)
        change = {
            **frozen,
            "rollback_vm_snap_id": body.vm_snap_id,
            "rollback_num": machine.spec.rollback_num + 1,
        }
        return self.change(transaction, access, machine, "rollback", change)

    @action("migrate", VirtualMachineMigrate)
    def migrate(
        self, transaction: Transaction, access: Access, id: int, body: VirtualMachineMigrate
    ) -> Machine:
        """Move a running virtual machine to another node."""
        self.changeable(transaction, access, id)
        raise self._nowhere_to_go(transaction, id)

    @action("failure-migrate", VirtualMachineMigrate)
    def failure_migrate(
        self, transaction: Transaction, access: Access, id: int, body: VirtualMachineMigrate
    ) -> Machine:
        """Start a virtual machine elsewhere after its node was lost."""
        self.changeable(transaction, access, id)
        raise self._nowhere_to_go(transaction, id)

    def clone(self, transaction: Transaction, access: Access, body: VirtualMachineClone) -> Machine:
        """A new machine that starts as a snapshot is, or as another machine is at this moment."""
        source = self._cloning.source_of(transaction, access, body)
        return self.create(transaction, source.access, self._cloning.copy_of(transaction, source, body))

    # -- what several of these need ------------------------------------------------------------------

    def _password(self, body: VirtualMachineCreate | VirtualMachineUpdate) -> str | None:
        password = read_password(
            self._decrypt,
            body.graphics_password,
            body.encrypted_graphics_password,
            body.rsa_key_id,
            field="graphics_password",
        )
        if password is not None:
            check_password(password)
        return password

    @staticmethod
    def _checked_password(wanted: str | None, now: str, *, needed: bool) -> str:
        password = now if wanted is None else wanted
        if needed and not password:
            raise Invalid(
                field="spec.graphics_password", reason="is needed where graphics_auth_enabled is true"
            )
        return password

    def _nowhere_to_go(self, transaction: Transaction, id: int) -> Conflict:
        """Why a machine cannot go to another node."""
        nodes: Store[Any, Any] = Store(self.catalogue["node"])
        if nodes.count(transaction, nodes.kind.tables.spec.c.role_sddc_server) < 2:
            return Conflict(reason=f"virtual_machine {id} has nowhere to go: there is no other node")
        return Conflict(
            reason=f"virtual_machine {id} cannot go: nodes do not pass guests on to each other yet"
        )


def _boot_order(order: Any) -> list[str]:
    names = [str(device.value) for device in order]
    if len(set(names)) != len(names):
        raise Invalid(field="spec.boot_device_order", reason="names a device twice")
    return names
