"""Bridged networks: what they consist of, what may be said of them, and what is refused."""

from typing import Any

import pytest

from network_installation import ADMIN, MEMBER, NEIGHBOUR, Installation, eventually
from stratal.kernel.errors import Conflict, Invalid, NotFound
from stratal.kernel.script import When
from stratal.kernel.state import State
from stratal.network.drivers.contract import Attachment
from stratal.network.drivers.errors import NetworkUnavailable

MAC = "52:54:00:00:00:01"
OTHER_MAC = "52:54:00:00:00:02"


def refused(here: Installation, **spec: Any) -> str:
    """The field that a creation is refused for."""
    with pytest.raises(Invalid) as caught:
        here.create(here.network.br_nets, **{"name": "web", "vsw_id": here.system, "vlan_id": 0, **spec})
    return str(caught.value.fields["field"])


def test_a_network_has_a_bridge_on_every_node(here: Installation) -> None:
    id = here.net(vlan_id=12)
    network = here.show(here.network.br_nets, id)
    [bridge] = here.all(here.network.bridges, br_net_id=id)
    assert bridge.state.state is State.ACTIVE
    assert (bridge.spec.vsw_id, bridge.spec.vlan_id, bridge.spec.node_id) == (here.system, 12, 1)
    assert bridge.status.device == here.driver.bridge_device(id)
    assert bridge.status.operstate == "up"
    assert network.status.bridge_num == 1
    assert (network.spec.mtu, network.spec.type, network.spec.l3_net_id) == (1500, Attachment.ACCESS, None)
    assert here.driver.survey().bridges == {id}
    assert here.all(here.network.br_net_nss) == []


def test_a_network_with_a_subnet_hands_out_addresses(here: Installation) -> None:
    id = here.net(cidr="10.1.2.0/24", gateway="10.1.2.1", dns_servers=["203.0.113.53"])
    [namespace] = here.all(here.network.br_net_nss, br_net_id=id)
    [bridge] = here.all(here.network.bridges, br_net_id=id)
    assert namespace.status.ready
    assert namespace.status.ip_addresses == ["10.1.2.254/24"]
    assert namespace.status.bridge_id == bridge.id
    [l3_net] = here.all(here.network.l3_nets, br_net_id=id)
    assert here.show(here.network.br_nets, id).spec.l3_net_id == l3_net.id
    assert (l3_net.spec.cidr, l3_net.spec.gateway, l3_net.spec.usage) == ("10.1.2.0/24", "10.1.2.1", "vm")
    wanted = here.simulated.host.dhcp[id]
    assert str(wanted.gateway) == "10.1.2.1"
    assert [str(each) for each in wanted.dns_servers] == ["203.0.113.53"]


def test_a_subnet_without_dhcp_is_known_and_nothing_more(here: Installation) -> None:
    id = here.net(cidr="10.1.2.0/24", dhcp=False)
    assert here.all(here.network.br_net_nss) == []
    assert len(here.all(here.network.l3_nets, br_net_id=id)) == 1
    assert here.driver.survey().dhcp == set()


def test_guests_are_served_as_they_come_and_go(here: Installation) -> None:
    id = here.net(cidr="10.1.2.0/24")
    fixed = here.guest(id, MAC, "10.1.2.77")
    here.guest(id, OTHER_MAC)
    eventually(lambda: here.driver.addresses(id).keys() == {MAC, OTHER_MAC})
    assert here.driver.addresses(id)[MAC] == ("10.1.2.77",)
    eventually(lambda: here.show(here.network.br_nets, id).status.vm_nic_num == 2)
    here.remove(here.guests, fixed)
    eventually(lambda: here.driver.addresses(id).keys() == {OTHER_MAC})
    eventually(lambda: here.show(here.network.br_nets, id).status.vm_nic_num == 1)


def test_addresses_in_use_are_counted(here: Installation) -> None:
    id = here.net(cidr="10.1.2.0/24", gateway="10.1.2.1")
    here.guest(id, MAC, "10.1.2.77")
    eventually(lambda: MAC in here.driver.addresses(id))
    [l3_net] = here.all(here.network.l3_nets)
    here.update(here.network.br_nets, id, dns_servers=["203.0.113.53"])
    # the gateway, the service and the guest
    eventually(lambda: here.show(here.network.l3_nets, l3_net.id).status.used_ip_num == 3)


def test_a_network_with_guests_stays(here: Installation) -> None:
    id = here.net()
    guest = here.guest(id, MAC)
    with pytest.raises(Conflict, match="1 guest still in br_net"):
        here.delete(here.network.br_nets, id)
    here.remove(here.guests, guest)
    here.remove(here.network.br_nets, id)


def test_a_deleted_network_leaves_nothing(here: Installation) -> None:
    id = here.net(cidr="10.1.2.0/24")
    here.remove(here.network.br_nets, id)
    for service in (here.network.bridges, here.network.br_net_nss, here.network.l3_nets):
        assert here.all(service) == []
    survey = here.driver.survey()
    assert (survey.bridges, survey.dhcp) == (set(), set())


def test_a_network_can_change_its_tag_and_its_mtu(here: Installation) -> None:
    id = here.net(vlan_id=12)
    here.update(here.network.br_nets, id, vlan_id=13, mtu=1400, name="web 2")
    eventually(lambda: here.simulated.host.bridges[id].mtu == 1400)
    eventually(lambda: here.all(here.network.bridges)[0].spec.vlan_id == 13)
    assert here.simulated.host.bridges[id].vlan == 13
    assert here.all(here.network.bridges)[0].spec.name == "web 2"


def test_a_subnet_can_come_change_and_go(here: Installation) -> None:
    id = here.net()
    here.update(here.network.br_nets, id, cidr="10.1.2.0/24", gateway="10.1.2.254")
    eventually(lambda: id in here.simulated.host.dhcp)
    # the highest address is the gateway's
    assert str(here.simulated.host.dhcp[id].address) == "10.1.2.253/24"
    here.update(here.network.br_nets, id, cidr="10.1.3.0/24", gateway=None)
    eventually(lambda: str(here.simulated.host.dhcp[id].address) == "10.1.3.254/24")
    eventually(lambda: here.all(here.network.l3_nets)[0].spec.cidr == "10.1.3.0/24")
    here.update(here.network.br_nets, id, cidr=None)
    eventually(lambda: here.all(here.network.br_net_nss) == here.all(here.network.l3_nets) == [])
    assert here.driver.survey().dhcp == set()
    assert here.active(here.network.br_nets, id).spec.l3_net_id is None


def test_a_subnet_that_guests_live_in_stays(here: Installation) -> None:
    id = here.net(cidr="10.1.2.0/24")
    here.guest(id, MAC, "10.1.2.5")
    with pytest.raises(Conflict):
        here.update(here.network.br_nets, id, cidr="10.1.3.0/24")
    with pytest.raises(Conflict):
        here.update(here.network.br_nets, id, cidr=None)


def test_an_address_is_kept_for_one_guest_only(here: Installation) -> None:
    nets = here.network.br_nets
    id = here.net(cidr="10.1.2.0/24", gateway="10.1.2.1")
    here.guest(id, MAC, "10.1.2.77")

    def check(text: str, network: int = id) -> str:
        return here.database.read(lambda tx: nets.check_address(tx, network, text, field="spec.ip_address"))

    assert check("10.1.2.9") == "10.1.2.9"
    for taken in ("10.1.2.77", "10.1.2.1"):
        with pytest.raises(Conflict):
            check(taken)
    for impossible in ("10.1.3.9", "10.1.2.0", "10.1.2.255", "nonsense"):
        with pytest.raises(Invalid):
            check(impossible)
    with pytest.raises(Invalid):
        check("10.1.2.9", here.net("bare", vlan_id=5))


def test_a_service_makes_room_for_a_guest_that_wants_its_address(here: Installation) -> None:
    id = here.net(cidr="10.1.2.0/24")
    here.guest(id, MAC, "10.1.2.254")
    here.update(here.network.br_nets, id, dns_servers=["203.0.113.53"])
    eventually(lambda: str(here.simulated.host.dhcp[id].address) == "10.1.2.253/24")


@pytest.mark.parametrize("vlan_id", [0, 12])
def test_a_tag_is_used_once_on_a_switch(here: Installation, vlan_id: int) -> None:
    here.net("one", vlan_id=vlan_id)
    with pytest.raises(Conflict):
        here.create(here.network.br_nets, name="two", vsw_id=here.system, vlan_id=vlan_id)
    other = here.switch("other")
    here.net("two", vlan_id=vlan_id, vsw_id=other)


def test_names_are_unique_in_a_project(here: Installation) -> None:
    here.net("web", 1, MEMBER)
    here.net("web", 2, NEIGHBOUR)
    with pytest.raises(Conflict):
        here.create(here.network.br_nets, MEMBER, name="web", vsw_id=here.system, vlan_id=3)


def test_a_network_is_of_its_project(here: Installation) -> None:
    id = here.net("web", 1, MEMBER)
    assert here.show(here.network.br_nets, id, MEMBER).id == id
    with pytest.raises(NotFound):
        here.show(here.network.br_nets, id, NEIGHBOUR)
    with pytest.raises(NotFound):
        here.delete(here.network.br_nets, id, NEIGHBOUR)
    with pytest.raises(NotFound):
        here.update(here.network.br_nets, id, NEIGHBOUR, name="mine")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"vsw_id": 987_654}, "spec.vsw_id"),
        ({"mtu": 1501}, "spec.mtu"),
        ({"type": Attachment.TRUNK, "vlan_id": 7}, "spec.vlan_id"),
        ({"cidr": "10.1.2.3/24"}, "spec.cidr"),
        ({"cidr": "Netz"}, "spec.cidr"),
        ({"cidr": "10.1.2.0/30", "gateway": "10.1.2.1"}, "spec.cidr"),
        ({"gateway": "10.1.2.1"}, "spec.gateway"),
        ({"cidr": "10.1.2.0/24", "gateway": "10.1.3.1"}, "spec.gateway"),
        ({"cidr": "10.1.2.0/24", "gateway": "10.1.2.255"}, "spec.gateway"),
        ({"cidr": "10.1.2.0/24", "gateway": "Tor"}, "spec.gateway"),
        ({"dns_servers": ["203.0.113.53", "dns"]}, "spec.dns_servers[1]"),
    ],
)
def test_what_does_not_go_together_is_refused_by_its_field(
    here: Installation, spec: dict[str, Any], field: str
) -> None:
    assert refused(here, **spec) == field


def test_an_update_is_checked_as_a_whole(here: Installation) -> None:
    trunk = here.net("trunk", type=Attachment.TRUNK)
    with pytest.raises(Invalid, match="trunk"):
        here.update(here.network.br_nets, trunk, vlan_id=5)
    id = here.net("web", 9, cidr="10.1.2.0/24", gateway="10.1.2.1")
    with pytest.raises(Invalid) as caught:
        here.update(here.network.br_nets, id, cidr="10.1.3.0/24")
    assert caught.value.fields["field"] == "spec.gateway"


def test_a_network_comes_to_nodes_as_they_come_and_leaves_those_that_go(here: Installation) -> None:
    id = here.net()
    here.nodes.append(2)
    here.network.chores["cover_networks"]()
    eventually(lambda: len(here.all(here.network.bridges, br_net_id=id)) == 2)
    # it is for the process of the other node to make its bridge
    assert here.show(here.network.br_nets, id).status.bridge_num == 1
    here.nodes.remove(2)
    here.network.chores["cover_networks"]()
    eventually(lambda: len(here.all(here.network.bridges, br_net_id=id)) == 1)


def test_a_host_that_fails_is_tried_again_and_the_reason_is_told(here: Installation) -> None:
    here.simulated.script.fail(
        "bridge", lambda: NetworkUnavailable(reason="this process lacks CAP_NET_ADMIN"), times=3
    )
    here.simulated.script.fail("bridge", lambda: NetworkUnavailable(reason="so it says"), when=When.AFTER)
    here.net()
    assert any("lacks CAP_NET_ADMIN" in message for message in here.events())


def test_a_bridge_that_somebody_removed_comes_back(here: Installation) -> None:
    id = here.net()
    here.simulated.host.bridges.clear()
    here.update(here.network.br_nets, id, description="look at it")
    eventually(lambda: here.driver.survey().bridges == {id})


def test_what_is_on_the_host_of_networks_that_are_gone_is_removed(here: Installation) -> None:
    id = here.net()
    here.simulated.host.bridges[4711] = here.simulated.host.bridges[id]
    here.network.reclaim()
    assert here.driver.survey().bridges == {id}


def test_the_administrator_sees_the_networks_of_all(here: Installation) -> None:
    id = here.net("web", 1, NEIGHBOUR)
    assert here.show(here.network.br_nets, id, ADMIN).spec.project_id == 2
