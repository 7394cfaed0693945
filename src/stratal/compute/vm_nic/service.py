"""What may be asked of network interfaces. Called by faces, and by the services of machines."""

import ipaddress
from typing import Any

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
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction

MOST_NICS = 16

Nic = Resource[VmNicSpec, VmNicStatus]


class VmNicService(ResourceService[VmNicSpec, VmNicStatus]):
    create_body = VmNicCreate
    update_body = VmNicUpdate

    def __init__(self, catalogue: Catalogue, jobs: Jobs) -> None:
        super().__init__(VM_NIC, catalogue)
        self._jobs = jobs
        self._networks: Store[Any, Any] = Store(catalogue["br_net"])

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
        spec["ip_address"] = self._check_address(transaction, body.br_net_id, body.ip_address)
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
        return given(body)

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
            ip_address=None
            if self.has_address(transaction, nic.br_net_id, nic.ip_address)
            else nic.ip_address,
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

    def has_address(self, transaction: Transaction, br_net_id: int, address: str | None) -> bool:
        """Whether an interface on this network is to have this address."""
        same = self.columns.br_net_id == br_net_id, self.columns.ip_address == address
        return self.store.count(transaction, self.columns.deletion_begin.is_(None), *same) > 0

    def _check_address(self, transaction: Transaction, br_net_id: int, text: str | None) -> str | None:
        """The address in its one form. Raises Invalid for what is none, Conflict for one that is taken."""
        if text is None:
            return None
        try:
            address = str(ipaddress.ip_address(text))
        except ValueError:
            raise Invalid(
                field="spec.ip_address", reason=f"{text!r} is neither an IPv4 nor an IPv6 address"
            ) from None
        network = self._networks.get(transaction, br_net_id, labels=False)
        cidr = None if network is None else network.spec.cidr
        if cidr is not None and ipaddress.ip_address(address) not in ipaddress.ip_network(cidr):
            raise Invalid(field="spec.ip_address", reason=f"{address} is not in {cidr}, br_net {br_net_id}'s")
        if self.has_address(transaction, br_net_id, address):
            raise Conflict(reason=f"another interface on br_net {br_net_id} has the address {address}")
        return address


def _check_queues(model: NicModel, queue_num: int) -> None:
    if queue_num > 1 and model is not NicModel.VIRTIO:
        raise Invalid(field="spec.queue_num", reason=f"an interface of the model {model} has one queue")
