"""Switches and network cards: finding, attaching, detaching, and what is refused."""

from typing import Any

import pytest

from network_installation import Installation, eventually
from stratal.kernel.errors import Conflict, Invalid, StratalError
from stratal.kernel.state import State
from stratal.network.drivers.contract import Attachment, BondMode


def test_every_installation_has_a_switch_without_uplinks_that_stays(here: Installation) -> None:
    system = here.active(here.network.vsws, here.system)
    assert (system.spec.name, system.spec.nic_ids, system.spec.system) == ("system", [], True)
    assert system.status.node_num == 1
    with pytest.raises(Conflict):
        here.delete(here.network.vsws, system.id)
    here.database.write(here.network.vsws.seed)
    assert len(here.all(here.network.vsws)) == 1


def test_network_cards_are_found(here: Installation) -> None:
    nic = here.show(here.network.nics, here.nic("sim0"))
    assert nic.spec.node_id == 1
    assert (nic.status.type, nic.status.operstate, nic.status.megabits) == ("ethernet", "up", 10_000)
    assert nic.status.pci_address
    assert len(here.all(here.network.nics)) == 4


def test_a_card_that_comes_later_is_found_and_one_that_goes_is_forgotten(here: Installation) -> None:
    first = here.nic("sim0")
    here.simulated.host.add_interface("sim9", 9)
    here.network.chores["discover_nics"]()
    here.nic("sim9")
    del here.simulated.host.interfaces["sim0"]
    here.database.write(
        lambda tx: here.network.nics.follow(tx, here.network.nics.store.get(tx, first))  # type: ignore[arg-type]
    )
    here.gone(here.network.nics, first)


def test_cards_become_the_uplinks_of_a_switch(here: Installation) -> None:
    nic = here.nic("sim0")
    id = here.switch(nic_ids=[nic], mtu=9000)
    switch = here.show(here.network.vsws, id)
    assert switch.spec.nic_ids == switch.status.nic_ids == [nic]
    assert here.show(here.network.nics, nic).spec.vsw_id == id
    assert here.simulated.host.interfaces["sim0"].mtu == 9000


def test_networks_leave_their_node_by_the_uplinks_of_their_switch(here: Installation) -> None:
    id = here.switch()
    tagged, trunk = here.net("tagged", 12, vsw_id=id), here.net("trunk", vsw_id=id, type=Attachment.TRUNK)
    assert here.simulated.host.bridges[tagged].uplink is None
    nic = here.nic("sim0")
    here.act(here.network.vsws, id, "attach-nics", nic_ids=[nic])
    eventually(lambda: here.simulated.host.bridges[tagged].uplink == "sim0")
    eventually(lambda: here.simulated.host.bridges[trunk].uplink == "sim0")
    assert here.simulated.host.bridges[tagged].vlan == 12
    here.act(here.network.vsws, id, "detach-nics", nic_ids=[nic])
    eventually(lambda: here.simulated.host.bridges[tagged].uplink is None)
    assert here.active(here.network.vsws, id).spec.nic_ids == []
    assert here.show(here.network.nics, nic).spec.vsw_id is None


def test_several_cards_of_a_node_are_one_uplink(here: Installation) -> None:
    first, second = here.nic("sim0"), here.nic("sim1")
    id = here.switch(nic_ids=[first, second], bond_mode=BondMode.LACP)
    assert here.show(here.network.vsws, id).status.nic_ids == [first, second]
    assert here.simulated.host.uplinks[id].interfaces == ("sim0", "sim1")
    network = here.net(vlan_id=5, vsw_id=id)
    assert here.simulated.host.bridges[network].uplink == f"simu{id}"
    here.act(here.network.vsws, id, "detach-nics", nic_ids=[second])
    eventually(lambda: here.simulated.host.bridges[network].uplink == "sim0")


def test_attaching_a_card_again_changes_nothing(here: Installation) -> None:
    nic = here.nic("sim0")
    id = here.switch(nic_ids=[nic])
    before = here.show(here.network.vsws, id).spec.etag
    here.act(here.network.vsws, id, "attach-nics", nic_ids=[nic])
    assert here.active(here.network.vsws, id).spec.etag == before


def attach(here: Installation, *nic_ids: int) -> StratalError:
    id = here.switch("another")
    with pytest.raises((Conflict, Invalid)) as caught:
        here.act(here.network.vsws, id, "attach-nics", nic_ids=list(nic_ids))
    return caught.value


def test_a_card_of_another_switch_is_refused(here: Installation) -> None:
    nic = here.nic("sim0")
    here.switch(nic_ids=[nic])
    assert "is attached to vsw" in str(attach(here, nic))


def test_a_card_by_which_its_node_is_reached_is_refused(here: Installation) -> None:
    here.simulated.host.add_interface("mgmt0", 8, ("198.51.100.7/24",))
    here.network.discover()
    assert "198.51.100.7" in str(attach(here, here.nic("mgmt0")))


def test_cards_that_there_are_not_are_refused_by_their_place(here: Installation) -> None:
    error = attach(here, here.nic("sim0"), 987_654)
    assert error.fields["field"] == "spec.nic_ids[1]"


def test_a_card_that_is_named_twice_is_refused(here: Installation) -> None:
    nic = here.nic("sim0")
    assert attach(here, nic, nic).fields["field"] == "spec.nic_ids[1]"


def test_several_cards_of_a_node_take_a_way_to_share(here: Installation) -> None:
    first, second = here.nic("sim0"), here.nic("sim1")
    assert "bond_mode" in str(attach(here, first, second))
    id = here.switch(nic_ids=[first, second], bond_mode=BondMode.ACTIVE_BACKUP)
    with pytest.raises(Invalid) as caught:
        here.update(here.network.vsws, id, bond_mode=None)
    assert caught.value.fields["field"] == "spec.bond_mode"


def test_only_a_card_of_the_switch_can_be_detached(here: Installation) -> None:
    nic = here.nic("sim0")
    with pytest.raises(Invalid) as caught:
        here.act(here.network.vsws, here.system, "detach-nics", nic_ids=[nic])
    assert caught.value.fields["field"] == "spec.nic_ids[0]"


def test_a_switch_in_use_stays(here: Installation) -> None:
    id = here.switch(nic_ids=[here.nic("sim0")])
    with pytest.raises(Conflict, match="1 nic still in vsw"):
        here.delete(here.network.vsws, id)
    here.act(here.network.vsws, id, "detach-nics", nic_ids=[here.nic("sim0")])
    network = here.net(vsw_id=id)
    with pytest.raises(Conflict, match="1 br_net still in vsw"):
        here.delete(here.network.vsws, id)
    here.remove(here.network.br_nets, network)
    here.remove(here.network.vsws, id)


def test_networks_on_a_switch_are_counted(here: Installation) -> None:
    ids = [here.net(f"net {vlan}", vlan) for vlan in (1, 2)]
    eventually(lambda: here.show(here.network.vsws, here.system).status.br_net_num == 2)
    here.remove(here.network.br_nets, ids[0])
    eventually(lambda: here.show(here.network.vsws, here.system).status.br_net_num == 1)


def test_a_switch_passes_what_its_networks_need(here: Installation) -> None:
    id = here.switch(mtu=9000)
    here.net(vsw_id=id, mtu=8000)
    with pytest.raises(Conflict, match="mtu above 1500"):
        here.update(here.network.vsws, id, mtu=1500)
    here.update(here.network.vsws, id, mtu=8000)


def test_names_of_switches_are_unique(here: Installation) -> None:
    here.switch("one")
    with pytest.raises(Conflict):
        here.create(here.network.vsws, name="one")


def test_an_uplink_that_is_pulled_out_shows_and_comes_back(here: Installation) -> None:
    nic = here.nic("sim0")
    id = here.switch(nic_ids=[nic])
    interface: Any = here.simulated.host.interfaces.pop("sim0")
    here.update(here.network.vsws, id, description="look at it")
    eventually(lambda: any("no interface sim0" in message for message in here.events()))
    # a card that a switch counts on is not forgotten
    assert here.show(here.network.nics, nic).id == nic
    here.simulated.host.interfaces["sim0"] = interface
    eventually(lambda: here.errors("vsw") == [])
    assert here.show(here.network.vsws, id).state.state is State.ACTIVE
