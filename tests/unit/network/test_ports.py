"""Ports: where compute plugs guests in."""

from collections.abc import Collection

import pytest

from network_installation import Installation, eventually
from stratal.network.drivers.errors import BridgeMissing

MAC = "52:54:00:00:00:01"


def test_a_guest_is_plugged_into_its_network(here: Installation) -> None:
    id = here.net(mtu=1400)
    ports = here.network.ports
    port = ports.plug(here.look, vm_nic_id=7, br_net_id=id, mac=MAC, queues=4, in_kbps=100)
    [bridge] = here.all(here.network.bridges)
    assert (port.tap, port.mtu, port.bridge_id) == (ports.device(7), 1400, bridge.id)
    state = here.driver.observe_port(7)
    assert state is not None
    assert (state.network, state.multi_queue, state.to_guest_kbps, state.from_guest_kbps) == (
        id,
        True,
        100,
        None,
    )
    assert ports.plug(here.look, vm_nic_id=7, br_net_id=id, mac=MAC, queues=4, in_kbps=100) == port


def test_a_guest_waits_for_a_network_that_is_not_there(here: Installation) -> None:
    with pytest.raises(BridgeMissing):
        here.network.ports.plug(here.look, vm_nic_id=7, br_net_id=4711, mac=MAC)


def test_a_limit_that_no_tap_comes_up_to_is_none(here: Installation) -> None:
    id = here.net()
    here.network.ports.plug(here.look, vm_nic_id=7, br_net_id=id, mac=MAC, in_kbps=400_000_000)
    state = here.driver.observe_port(7)
    assert state is not None
    assert state.to_guest_kbps is None


def test_an_unplugged_guest_leaves_nothing(here: Installation) -> None:
    id = here.net()
    here.network.ports.plug(here.look, vm_nic_id=7, br_net_id=id, mac=MAC)
    for _ in range(2):
        here.network.ports.unplug(here.look, 7)
    assert here.driver.survey().ports == set()


def test_the_addresses_of_a_guest_are_learnt(here: Installation) -> None:
    id = here.net(cidr="10.1.2.0/24")
    here.guest(id, MAC, "10.1.2.9")
    here.network.ports.plug(here.look, vm_nic_id=7, br_net_id=id, mac=MAC.upper())
    eventually(lambda: here.network.ports.addresses(here.look, 7, MAC.upper()) == ("10.1.2.9",))
    assert here.network.ports.addresses(here.look, 8, MAC) == ()


def test_taps_of_guests_that_are_gone_are_removed(here: Installation) -> None:
    id = here.net()
    for nic in (7, 8):
        here.network.ports.plug(here.look, vm_nic_id=nic, br_net_id=id, mac=MAC)
    asked: list[frozenset[int]] = []

    def known(ids: Collection[int]) -> set[int]:
        asked.append(frozenset(ids))
        return {7}

    assert here.network.ports.reclaim(known) == {8}
    assert here.driver.survey().ports == {7}
    assert here.network.ports.reclaim(known) == set()
    assert asked == [{7, 8}, {7}]


def test_a_port_is_counted_by_its_bridge(here: Installation) -> None:
    id = here.net()
    here.network.ports.plug(here.look, vm_nic_id=7, br_net_id=id, mac=MAC)
    here.update(here.network.br_nets, id, description="look at it")
    eventually(lambda: here.all(here.network.bridges)[0].status.port_num == 1)
