"""The suite that every driver of a host's network passes. A driver's test module overrides the hooks."""

from ipaddress import IPv4Address, IPv4Interface

import pytest

from stratal.network.drivers.contract import (
    Attachment,
    BridgeWanted,
    DhcpWanted,
    Interface,
    NetworkDriver,
    PortWanted,
    UplinkWanted,
)
from stratal.network.drivers.errors import (
    BridgeMissing,
    DeviceForeign,
    InterfaceInUse,
    InterfaceMissing,
    NotSupported,
)

MAC = "52:54:00:12:34:56"
OTHER_MAC = "52:54:00:12:34:57"
TRUNK = Attachment.TRUNK


def service(**more: object) -> DhcpWanted:
    wanted: dict[str, object] = {"address": IPv4Interface("192.0.2.254/24"), "guests": {MAC: None}, **more}
    return DhcpWanted(**wanted)  # type: ignore[arg-type]


class NetworkSuite:
    @pytest.fixture
    def driver(self) -> NetworkDriver:
        raise NotImplementedError("a driver's test module overrides this fixture")

    def reopen(self, driver: NetworkDriver) -> NetworkDriver:
        """The driver as a new process would have it. Hook."""
        raise NotImplementedError

    def add_interface(self, driver: NetworkDriver, name: str, address: str | None = None) -> None:
        """Put an interface into the host, switched on. Hook."""
        raise NotImplementedError

    def remove_interface(self, driver: NetworkDriver, name: str) -> None:
        """Pull it out. Hook."""
        raise NotImplementedError

    def add_foreign(self, driver: NetworkDriver, name: str) -> None:
        """Make a device of this name by other means than the driver. Hook."""
        raise NotImplementedError

    @staticmethod
    def interface(driver: NetworkDriver, name: str) -> Interface:
        [found] = [each for each in driver.interfaces() if each.name == name]
        return found


class Bridges(NetworkSuite):
    def test_a_host_without_networks_has_nothing_of_ours(self, driver: NetworkDriver) -> None:
        survey = driver.survey()
        assert (survey.bridges, survey.ports, survey.uplinks, survey.dhcp) == (set(), set(), set(), set())
        assert survey.leftovers == set()
        assert driver.observe_bridge(1) is None

    def test_a_bridge_is_made_up_and_without_ports(self, driver: NetworkDriver) -> None:
        state = driver.ensure_bridge(1, BridgeWanted())
        assert state.up
        assert state.ports == set()
        assert state.device == driver.bridge_device(1)
        assert state.mtu == 1500
        assert driver.observe_bridge(1) == state
        assert driver.survey().bridges == {1}

    def test_ensuring_a_bridge_again_changes_nothing(self, driver: NetworkDriver) -> None:
        assert driver.ensure_bridge(1, BridgeWanted()) == driver.ensure_bridge(1, BridgeWanted())

    def test_bridges_are_found_by_a_new_process(self, driver: NetworkDriver) -> None:
        state = driver.ensure_bridge(1, BridgeWanted())
        assert self.reopen(driver).observe_bridge(1) == state

    def test_a_bridge_keeps_its_address_and_ports_when_its_mtu_changes(self, driver: NetworkDriver) -> None:
        before = driver.ensure_bridge(1, BridgeWanted())
        driver.ensure_port(7, PortWanted(network=1, mac=MAC))
        after = driver.ensure_bridge(1, BridgeWanted(mtu=1400))
        assert after.mtu == 1400
        assert after.mac == before.mac
        assert after.ports == {driver.port_device(7)}

    def test_two_networks_have_bridges_of_their_own(self, driver: NetworkDriver) -> None:
        first, second = (driver.ensure_bridge(id, BridgeWanted()) for id in (1, 2))
        assert first.device != second.device
        assert first.mac != second.mac

    def test_removing_a_bridge_leaves_the_others_and_its_ports(self, driver: NetworkDriver) -> None:
        for id in (1, 2):
            driver.ensure_bridge(id, BridgeWanted())
        driver.ensure_port(7, PortWanted(network=1, mac=MAC))
        driver.remove_bridge(1)
        driver.remove_bridge(1)
        assert driver.observe_bridge(1) is None
        assert driver.observe_bridge(2) is not None
        port = driver.observe_port(7)
        assert port is not None
        assert port.network is None

    def test_a_device_that_is_not_ours_is_neither_taken_nor_removed(self, driver: NetworkDriver) -> None:
        self.add_foreign(driver, driver.bridge_device(1))
        with pytest.raises(DeviceForeign):
            driver.ensure_bridge(1, BridgeWanted())
        assert 1 not in driver.survey().bridges
        driver.reclaim()
        with pytest.raises(DeviceForeign):
            driver.ensure_bridge(1, BridgeWanted())


class Uplinks(NetworkSuite):
    def test_interfaces_are_listed_with_what_is_known_of_them(self, driver: NetworkDriver) -> None:
        self.add_interface(driver, "phys0", "198.51.100.1/24")
        found = self.interface(driver, "phys0")
        assert found.up
        assert found.mac
        assert found.mtu >= 1500
        assert found.addresses == ("198.51.100.1/24",)

    def test_devices_of_ours_are_no_interfaces(self, driver: NetworkDriver) -> None:
        before = driver.interfaces()
        driver.ensure_bridge(1, BridgeWanted())
        driver.ensure_port(7, PortWanted(network=1, mac=MAC))
        assert driver.interfaces() == before

    def test_an_interface_becomes_the_uplink_of_a_switch(self, driver: NetworkDriver) -> None:
        self.add_interface(driver, "phys0")
        wanted = UplinkWanted(interfaces=("phys0",), mtu=1450)
        state = driver.ensure_uplink(3, wanted)
        assert state.interfaces == ("phys0",)
        assert state.device == driver.uplink_device(3, wanted)
        assert driver.observe_uplink(3, wanted) == state
        assert self.interface(driver, "phys0").mtu == 1450

    def test_an_interface_that_is_not_there_is_missed(self, driver: NetworkDriver) -> None:
        with pytest.raises(InterfaceMissing):
            driver.ensure_uplink(3, UplinkWanted(interfaces=("phys9",)))
        with pytest.raises(InterfaceMissing):
            driver.ensure_bridge(1, BridgeWanted(uplink="phys9", attachment=TRUNK))

    def test_an_interface_by_which_the_host_is_reached_is_refused(self, driver: NetworkDriver) -> None:
        self.add_interface(driver, "phys0", "198.51.100.1/24")
        with pytest.raises(InterfaceInUse):
            driver.ensure_uplink(3, UplinkWanted(interfaces=("phys0",)))
        with pytest.raises(InterfaceInUse):
            driver.ensure_bridge(1, BridgeWanted(uplink="phys0", attachment=TRUNK))

    def test_a_network_joins_its_uplink_and_parts_from_it(self, driver: NetworkDriver) -> None:
        self.add_interface(driver, "phys0")
        driver.ensure_uplink(3, UplinkWanted(interfaces=("phys0",)))
        joined = driver.ensure_bridge(1, BridgeWanted(uplink="phys0", attachment=TRUNK))
        assert joined.uplink == "phys0"
        assert "phys0" in joined.ports
        parted = driver.ensure_bridge(1, BridgeWanted(attachment=TRUNK))
        assert parted.uplink is None
        assert parted.ports == set()
        driver.remove_uplink(3)
        assert self.interface(driver, "phys0").up

    def test_an_uplink_is_in_one_untagged_network_only(self, driver: NetworkDriver) -> None:
        self.add_interface(driver, "phys0")
        wanted = BridgeWanted(uplink="phys0", attachment=TRUNK)
        driver.ensure_bridge(1, wanted)
        with pytest.raises(InterfaceInUse):
            driver.ensure_bridge(2, wanted)
        driver.remove_bridge(1)
        assert driver.ensure_bridge(2, wanted).uplink == "phys0"

    def test_an_access_network_without_tags_is_filtered_or_refused(self, driver: NetworkDriver) -> None:
        self.add_interface(driver, "phys0")
        try:
            state = driver.ensure_bridge(1, BridgeWanted(uplink="phys0"))
        except NotSupported:
            assert driver.observe_bridge(1) is None or "phys0" not in driver.observe_bridge(1).ports  # type: ignore[union-attr]
        else:
            assert state.filtering
            assert state.uplink == "phys0"

    def test_a_tagged_network_has_a_device_for_its_tag_or_is_refused(self, driver: NetworkDriver) -> None:
        self.add_interface(driver, "phys0")
        try:
            state = driver.ensure_bridge(1, BridgeWanted(uplink="phys0", vlan=12))
        except NotSupported:
            return
        assert state.uplink not in (None, "phys0")
        other = driver.ensure_bridge(2, BridgeWanted(uplink="phys0", vlan=13))
        assert other.uplink not in (None, "phys0", state.uplink)
        assert driver.ensure_bridge(1, BridgeWanted(uplink="phys0", vlan=14)).uplink is not None
        assert driver.ensure_bridge(1, BridgeWanted()).uplink is None
        driver.remove_bridge(2)
        assert driver.survey().leftovers == set()

    def test_several_interfaces_become_one_uplink_or_are_refused(self, driver: NetworkDriver) -> None:
        for name in ("phys0", "phys1"):
            self.add_interface(driver, name)
        both = UplinkWanted(interfaces=("phys0", "phys1"))
        try:
            state = driver.ensure_uplink(3, both)
        except NotSupported:
            return
        assert set(state.interfaces) == {"phys0", "phys1"}
        assert driver.survey().uplinks == {3}
        assert driver.ensure_uplink(3, both) == state
        single = UplinkWanted(interfaces=("phys0",))
        assert driver.ensure_uplink(3, single).interfaces == ("phys0",)
        driver.remove_uplink(3)
        assert driver.survey().uplinks == set()

    def test_an_uplink_that_is_pulled_out_is_missed(self, driver: NetworkDriver) -> None:
        self.add_interface(driver, "phys0")
        wanted = UplinkWanted(interfaces=("phys0",))
        driver.ensure_uplink(3, wanted)
        self.remove_interface(driver, "phys0")
        assert driver.observe_uplink(3, wanted) is None


class Ports(NetworkSuite):
    def test_a_port_is_a_tap_in_the_networks_bridge(self, driver: NetworkDriver) -> None:
        driver.ensure_bridge(1, BridgeWanted())
        state = driver.ensure_port(7, PortWanted(network=1, mac=MAC))
        assert state.device == driver.port_device(7)
        assert state.network == 1
        assert state.link
        assert not state.open
        assert driver.observe_port(7) == state
        bridge = driver.observe_bridge(1)
        assert bridge is not None
        assert bridge.ports == {state.device}
        assert driver.survey().ports == {7}

    def test_a_port_waits_for_its_bridge(self, driver: NetworkDriver) -> None:
        with pytest.raises(BridgeMissing):
            driver.ensure_port(7, PortWanted(network=1, mac=MAC))
        assert driver.observe_port(7) is None

    def test_a_port_has_the_properties_that_it_was_made_with(self, driver: NetworkDriver) -> None:
        driver.ensure_bridge(1, BridgeWanted())
        wanted = PortWanted(
            network=1,
            mac=MAC,
            mtu=1400,
            owner_uid=4711,
            multi_queue=True,
            link=False,
            to_guest_kbps=8_000,
            from_guest_kbps=4_000,
        )
        state = driver.ensure_port(7, wanted)
        assert (state.mtu, state.owner_uid, state.multi_queue) == (1400, 4711, True)
        assert (state.link, state.to_guest_kbps, state.from_guest_kbps) == (False, 8_000, 4_000)
        assert driver.ensure_port(7, wanted) == state

    def test_a_port_can_change_all_that_it_is(self, driver: NetworkDriver) -> None:
        for id in (1, 2):
            driver.ensure_bridge(id, BridgeWanted())
        wanted = PortWanted(network=1, mac=MAC, to_guest_kbps=8_000, from_guest_kbps=4_000)
        driver.ensure_port(7, wanted)
        slower = driver.ensure_port(
            7, PortWanted(network=2, mac=OTHER_MAC, to_guest_kbps=1_000, from_guest_kbps=2_000)
        )
        assert (slower.network, slower.to_guest_kbps, slower.from_guest_kbps) == (2, 1_000, 2_000)
        free = driver.ensure_port(7, PortWanted(network=2, mac=MAC, multi_queue=True, owner_uid=4711))
        assert (free.to_guest_kbps, free.from_guest_kbps) == (None, None)
        assert (free.multi_queue, free.owner_uid) == (True, 4711)
        assert driver.survey().leftovers == set()

    def test_a_port_that_lost_its_bridge_gets_the_new_one(self, driver: NetworkDriver) -> None:
        wanted = PortWanted(network=1, mac=MAC)
        driver.ensure_bridge(1, BridgeWanted())
        driver.ensure_port(7, wanted)
        driver.remove_bridge(1)
        driver.ensure_bridge(1, BridgeWanted())
        assert driver.ensure_port(7, wanted).network == 1

    def test_a_removed_port_leaves_nothing(self, driver: NetworkDriver) -> None:
        driver.ensure_bridge(1, BridgeWanted())
        driver.ensure_port(7, PortWanted(network=1, mac=MAC, to_guest_kbps=8, from_guest_kbps=8))
        driver.ensure_port(8, PortWanted(network=1, mac=OTHER_MAC))
        for _ in range(2):
            driver.remove_port(7)
        assert driver.observe_port(7) is None
        assert driver.survey().ports == {8}
        assert driver.survey().leftovers == set()

    def test_ports_are_found_by_a_new_process(self, driver: NetworkDriver) -> None:
        driver.ensure_bridge(1, BridgeWanted())
        state = driver.ensure_port(7, PortWanted(network=1, mac=MAC))
        assert self.reopen(driver).observe_port(7) == state


class Dhcp(NetworkSuite):
    def test_a_service_runs_in_a_namespace_of_its_own(self, driver: NetworkDriver) -> None:
        driver.ensure_bridge(1, BridgeWanted())
        state = driver.ensure_dhcp(1, service())
        assert state.running
        assert state.addresses == ("192.0.2.254/24",)
        assert state.namespace
        assert driver.observe_dhcp(1) == state
        assert driver.ensure_dhcp(1, service()) == state
        assert driver.survey().dhcp == {1}
        bridge = driver.observe_bridge(1)
        assert bridge is not None
        assert len(bridge.ports) == 1

    def test_a_service_waits_for_its_bridge(self, driver: NetworkDriver) -> None:
        with pytest.raises(BridgeMissing):
            driver.ensure_dhcp(1, service())

    def test_a_service_can_move_to_another_subnet(self, driver: NetworkDriver) -> None:
        driver.ensure_bridge(1, BridgeWanted())
        driver.ensure_dhcp(1, service())
        moved = service(
            address=IPv4Interface("198.51.100.30/27"),
            gateway=IPv4Address("198.51.100.1"),
            dns_servers=(IPv4Address("203.0.113.53"),),
            mtu=1400,
        )
        state = driver.ensure_dhcp(1, moved)
        assert state.addresses == ("198.51.100.30/27",)
        assert state.running

    def test_two_networks_may_have_the_same_subnet(self, driver: NetworkDriver) -> None:
        for id in (1, 2):
            driver.ensure_bridge(id, BridgeWanted())
            assert driver.ensure_dhcp(id, service()).running
        driver.remove_dhcp(1)
        assert driver.observe_dhcp(1) is None
        second = driver.observe_dhcp(2)
        assert second is not None
        assert second.running

    def test_a_removed_service_leaves_nothing(self, driver: NetworkDriver) -> None:
        driver.ensure_bridge(1, BridgeWanted())
        driver.ensure_dhcp(1, service())
        for _ in range(2):
            driver.remove_dhcp(1)
        assert driver.observe_dhcp(1) is None
        assert driver.addresses(1) == {}
        survey = driver.survey()
        assert survey.dhcp == set()
        assert survey.leftovers == set()
        bridge = driver.observe_bridge(1)
        assert bridge is not None
        assert bridge.ports == set()

    def test_a_service_is_found_by_a_new_process(self, driver: NetworkDriver) -> None:
        driver.ensure_bridge(1, BridgeWanted())
        state = driver.ensure_dhcp(1, service())
        assert self.reopen(driver).observe_dhcp(1) == state
        self.reopen(driver).remove_dhcp(1)
        assert driver.observe_dhcp(1) is None

    def test_a_service_outlives_the_bridge_and_joins_the_next_one(self, driver: NetworkDriver) -> None:
        driver.ensure_bridge(1, BridgeWanted())
        driver.ensure_dhcp(1, service())
        driver.remove_bridge(1)
        driver.ensure_bridge(1, BridgeWanted())
        assert driver.ensure_dhcp(1, service()).running
        bridge = driver.observe_bridge(1)
        assert bridge is not None
        assert len(bridge.ports) == 1


class NetworkDriverSuite(Bridges, Uplinks, Ports, Dhcp):
    """Everything."""
