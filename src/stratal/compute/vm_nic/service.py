"""What may be asked of network interfaces. Called by faces, and by the services of machines."""

from typing import Any, Protocol

import msgspec

from stratal.compute import children
from stratal.compute.cleanups import Jobs
from stratal.compute.domain import NicModel
from stratal.compute.jobs import CleanupReason
from stratal.compute.machines import check_stopped, in_project_of, machine_for, machine_of
from stratal.compute.shape import NicShape
from stratal.compute.vm_nic.mac import canonical_mac, new_mac
from stratal.compute.vm_nic.model import VM_NIC, VmNicCreate, VmNicSpec, VmNicStatus, VmNicUpdate
from stratal.kernel.access import Access
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.fields import given
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import Change, ResourceService
from stratal.kernel.store import Resource
from stratal.kernel.transaction import Transaction

MOST_NICS = 16

Nic = Resource[VmNicSpec, VmNicStatus]


class CheckAddress(Protocol):
    """The address in its one form, if an interface on this network may have it kept for it.

    Raises Invalid for one that no guest of the network can have, Conflict for one that is taken.
    """

    def __call__(self, transaction: Transaction, br_net_id: int, text: str, /, *, field: str) -> str: ...


class VmNicService(ResourceService[VmNicSpec, VmNicStatus]):
    create_body = VmNicCreate
    update_body = VmNicUpdate

    def __init__(self, catalogue: Catalogue, jobs: Jobs, check_address: CheckAddress) -> None:
        super().__init__(VM_NIC, catalogue)
        self._jobs = jobs
        self._check_address = check_address

    def create(self, transaction: Transaction, access: Access, body: VmNicCreate) -> Nic:
        machine = machine_for(transaction, access, body.vm_id)
        if len(children.nics(transaction, machine.id)) >= MOST_NICS:
            raise Conflict(
                reason=f"virtual_machine {machine.id} has {MOST_NICS} interfaces, which is as many as go"
            )
        return super().create(transaction, in_project_of(access, machine), body)

    def new(self, transaction: Transaction, access: Access, body: VmNicCreate) -> Change:
        spec: dict[str, Any] = given(body)
        spec["mac_address"] = (
            self.free_mac(transaction)
            if body.mac_address is msgspec.UNSET
            else canonical_mac(body.mac_address)
        )
        if body.ip_address is not None:
            spec["ip_address"] = self._address(transaction, access, body.br_net_id, body.ip_address)
        _check_queues(body.model, body.queue_num)
        return spec

    def changed(self, transaction: Transaction, access: Access, resource: Nic, body: VmNicUpdate) -> Change:
        now = resource.spec
        model = now.model if body.model is msgspec.UNSET else body.model
        queue_num = now.queue_num if body.queue_num is msgspec.UNSET else body.queue_num
        if (model, queue_num) != (now.model, now.queue_num):
            machine = machine_for(transaction, access, now.vm_id)
            check_stopped(machine, "change the model or the queues of an interface")
        _check_queues(model, queue_num)
        spec: dict[str, Any] = given(body)
        network = spec.get("br_net_id", now.br_net_id)
        address = spec.get("ip_address", now.ip_address)
        if address is not None and (network, address) != (now.br_net_id, now.ip_address):
            spec["ip_address"] = self._address(transaction, access, network, address)
        return spec

    def delete(
        self,
        transaction: Transaction,
        access: Access,
        id: int,
        *,
        if_match: str | None = None,
        with_machine: bool = False,
    ) -> Nic:
        """Begin to take an interface out of its machine."""
        nic = self.show(transaction, access, id, lock=True)
        machine = machine_of(transaction, nic.spec.vm_id)
        if nic.spec.deletion_begin is None and machine is not None:
            reason = CleanupReason.DELETE if with_machine else CleanupReason.DETACH
            self._jobs.clean_up_nic(transaction, machine, id, nic.spec.name, reason)
        return super().delete(transaction, access, id, if_match=if_match)

    def restore(self, transaction: Transaction, access: Access, found: Nic, nic: NicShape) -> None:
        """Let an interface of a stopped machine be as it was once."""
        same = ("br_net_id", "model", "link_up", "queue_num", "in_bw_kbps", "out_bw_kbps")
        values: dict[str, Any] = {name: getattr(nic, name) for name in same}
        if (nic.br_net_id, nic.ip_address) != (found.spec.br_net_id, found.spec.ip_address):
            values["ip_address"] = self._address_of_then(transaction, nic)
        self.change(transaction, access, found, "update", values)

    def put_back(self, transaction: Transaction, access: Access, vm_id: int, nic: NicShape) -> Nic:
        """An interface that a machine had once; with another address where somebody has its own by now."""
        taken = self.has_mac(transaction, nic.mac_address)
        body = VmNicCreate(
            name=nic.name,
            vm_id=vm_id,
            br_net_id=nic.br_net_id,
            mac_address=msgspec.UNSET if taken else nic.mac_address,
            model=nic.model,
            link_up=nic.link_up,
            queue_num=nic.queue_num,
            ip_address=self._address_of_then(transaction, nic),
            in_bw_kbps=nic.in_bw_kbps,
            out_bw_kbps=nic.out_bw_kbps,
        )
        return self.create(transaction, access, body)

    def free_mac(self, transaction: Transaction) -> str:
        """A hardware address that no interface has."""
        while self.has_mac(transaction, mac := new_mac(transaction.entropy)):
            pass
        return mac

    def has_mac(self, transaction: Transaction, mac: str) -> bool:
        """Whether some interface has this address, one that is on its way out included."""
        return self.store.count(transaction, self.columns.mac_address == mac) > 0

    def _address(self, transaction: Transaction, access: Access, br_net_id: int, text: str) -> str:
        self._check_references(transaction, access, {"br_net_id": br_net_id})
        return self._check_address(transaction, br_net_id, text, field="spec.ip_address")

    def _address_of_then(self, transaction: Transaction, nic: NicShape) -> str | None:
        """The address that an interface had once; None where it can have it no more."""
        if nic.ip_address is None:
            return None
        try:
            return self._check_address(transaction, nic.br_net_id, nic.ip_address, field="spec.ip_address")
        except (Invalid, Conflict):
            return None


def _check_queues(model: NicModel, queue_num: int) -> None:
    if queue_num > 1 and model is not NicModel.VIRTIO:
        raise Invalid(field="spec.queue_num", reason=f"an interface of the model {model} has one queue")
