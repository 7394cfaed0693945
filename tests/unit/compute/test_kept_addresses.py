"""Addresses that networks keep for interfaces: which can be had, and what becomes of them."""

import pytest

from compute_installation import ComputeInstallation
from storage_installation import eventually
from stratal.compute.drivers.contract import GuestAddress
from stratal.compute.drivers.simulated.world import Guest
from stratal.kernel.errors import Conflict, Invalid


def refused(field: str) -> "pytest.RaisesExc[Invalid]":
    return pytest.raises(Invalid, check=lambda error: error.fields["field"] == field)


def test_an_address_that_a_network_cannot_keep_is_refused_by_its_place_in_the_body(
    here: ComputeInstallation,
) -> None:
    network = here.network_id(cidr="10.1.2.0/24", gateway="10.1.2.1")
    good = {"br_net_id": network, "ip_address": "10.1.2.9"}
    with refused("spec.vm_nics[1].ip_address"):
        here.ask_for_machine(vm_nics=[good, {**good, "ip_address": "10.1.3.9"}])
    with pytest.raises(Conflict, match=r"10\.1\.2\.1 "):
        here.ask_for_machine(vm_nics=[{**good, "ip_address": "10.1.2.1"}])
    with refused("spec.vm_nics[0].ip_address"):
        here.ask_for_machine(vm_nics=[{**good, "br_net_id": here.network_id("bare")}])
    assert here.of(here.machines) == []


def test_an_address_changes_goes_and_does_not_go_along_to_where_it_is_none(here: ComputeInstallation) -> None:
    network, other = here.network_id(cidr="10.1.2.0/24"), here.network_id("other", cidr="10.9.0.0/24")
    machine = here.machine(vm_nics=[{"br_net_id": network, "ip_address": "10.1.2.9"}])
    [nic] = here.of(here.nics, vm_id=machine.id)
    here.update(here.nics, nic.id, ip_address="10.1.2.9", link_up=False)
    with refused("spec.ip_address"):
        here.update(here.nics, nic.id, br_net_id=other)
    moved = here.update(here.nics, nic.id, br_net_id=other, ip_address="10.9.0.9")
    assert (moved.spec.br_net_id, moved.spec.ip_address) == (other, "10.9.0.9")
    assert here.update(here.nics, nic.id, ip_address=None).spec.ip_address is None
    assert here.update(here.nics, nic.id, br_net_id=network).spec.br_net_id == network


def test_a_gateway_is_no_guest_s_address(here: ComputeInstallation) -> None:
    network = here.network_id(cidr="10.1.2.0/24")
    here.machine(vm_nics=[{"br_net_id": network, "ip_address": "10.1.2.1"}, {"br_net_id": network}])
    with pytest.raises(Conflict, match=r"10\.1\.2\.1 "):
        here.update(here.network.br_nets, network, gateway="10.1.2.1")
    assert here.update(here.network.br_nets, network, gateway=None).spec.gateway is None


def test_going_back_gives_an_interface_its_address_where_it_can_be_had(here: ComputeInstallation) -> None:
    network = here.network_id(cidr="10.1.2.0/24")
    nics = [{"br_net_id": network, "ip_address": f"10.1.2.{last}"} for last in (7, 8)]
    machine = here.machine(vm_nics=nics)
    moment = here.moment(machine.id)
    first, second = here.of(here.nics, vm_id=machine.id)
    for nic in (first, second):
        here.update(here.nics, nic.id, ip_address=None)
    here.machine("thief", vm_nics=[nics[1]])
    here.act(here.machines, machine.id, "rollback", vm_snap_id=moment.id)
    assert [nic.spec.ip_address for nic in here.of(here.nics, vm_id=machine.id)] == ["10.1.2.7", None]


def test_what_an_agent_tells_of_addresses_is_shown(here: ComputeInstallation) -> None:
    network = here.network_id()
    machine = here.machine(vm_nics=[{"br_net_id": network}])
    [nic] = here.of(here.nics, vm_id=machine.id)
    told = [("10.1.2.7", 24), ("2001:db8::7", 64), ("fe80::1", 64)]
    addresses = tuple(
        GuestAddress(mac=nic.spec.mac_address, address=address, prefix=prefix) for address, prefix in told
    )
    here.world.guest = Guest(addresses=addresses)
    here.power(machine.id, "running")
    expected = ["10.1.2.7", "2001:db8::7"]
    assert eventually(lambda: here.show(here.machines, machine.id).status.ip_addresses) == expected
    assert eventually(lambda: here.show(here.nics, nic.id).status.ip_addresses) == expected
    here.power(machine.id, "stopped")
    assert here.show(here.machines, machine.id).status.ip_addresses == []
