"""The Linux driver, held by the suite of all network drivers, in a network of its own; and by guests that ask
it for addresses and send frames."""

import os
import subprocess
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from network_suite import MAC, OTHER_MAC, NetworkDriverSuite, service

from own_network import may_make_networks, own_network
from stratal.network.drivers.contract import BridgeWanted, NetworkDriver, PortWanted
from stratal.network.drivers.linux import LinuxNetwork, tag_of

#: no other process's: services are told apart by it, and processes are seen from every network
DIRECTORY = Path(f"/run/stratal-{os.getpid()}")
TAG = tag_of(str(DIRECTORY))
PHYSICAL = ("phys0", "phys1")

pytestmark = pytest.mark.skipif(not may_make_networks(), reason="only root may make network namespaces")


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


def link_names() -> set[str]:
    return {line.split(": ")[1].partition("@")[0] for line in ip("-o", "link").splitlines()}


@pytest.fixture(autouse=True)
def network() -> Iterator[None]:
    with own_network():
        yield
        driver = LinuxNetwork(tag=TAG, directory=DIRECTORY)
        for id in driver.survey().dhcp:
            driver.remove_dhcp(id)


@pytest.fixture
def driver() -> NetworkDriver:
    return LinuxNetwork(tag=TAG, directory=DIRECTORY, also=PHYSICAL)


class TestLinuxNetwork(NetworkDriverSuite):
    @pytest.fixture
    def driver(self, driver: NetworkDriver) -> NetworkDriver:  # type: ignore[override]
        return driver

    def reopen(self, driver: NetworkDriver) -> NetworkDriver:
        return LinuxNetwork(tag=TAG, directory=DIRECTORY, also=PHYSICAL)

    def add_interface(self, driver: NetworkDriver, name: str, address: str | None = None) -> None:
        ip("link", "add", name, "type", "veth", "peer", f"far-{name}")
        ip("link", "set", name, "up")
        ip("link", "set", f"far-{name}", "up")
        if address:
            ip("address", "add", address, "dev", name)

    def remove_interface(self, driver: NetworkDriver, name: str) -> None:
        ip("link", "delete", name)

    def add_foreign(self, driver: NetworkDriver, name: str) -> None:
        ip("link", "add", name, "type", "ifb")


class Guest:
    """A namespace that is joined to a network as a guest's NIC would be."""

    def __init__(self, driver: NetworkDriver, network: int, mac: str, name: str) -> None:
        self.name = name
        bridge = driver.bridge_device(network)
        ip("netns", "add", name)
        ip("link", "add", f"far-{name}", "master", bridge, "type", "veth", "peer", "eth0", "netns", name)
        ip("-n", name, "link", "set", "eth0", "address", mac)
        ip("-n", name, "link", "set", "eth0", "up")
        ip("link", "set", f"far-{name}", "up")

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *command], capture_output=True, text=True, check=False
        )

    def ask(self, tmp_path: Path) -> dict[str, str]:
        """What DHCP says: address, mask, router, dns, mtu; empty when nobody answers."""
        script = tmp_path / "said"
        script.write_text('#!/bin/sh\n[ "$1" = bound ] && env\nexit 0\n')
        script.chmod(0o755)
        options = ["-O", "mtu", "-n", "-q", "-f", "-t", "6", "-T", "1", "-s", str(script)]
        said = self.run("busybox", "udhcpc", "-i", "eth0", *options).stdout
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def test_a_guest_gets_the_address_that_is_reserved_for_it_and_is_told_the_way(
    driver: NetworkDriver, tmp_path: Path
) -> None:
    driver.ensure_bridge(1, BridgeWanted())
    wanted = service(
        guests={MAC: IPv4Address("192.0.2.77")},
        gateway=IPv4Address("192.0.2.1"),
        dns_servers=(IPv4Address("203.0.113.53"), IPv4Address("203.0.113.54")),
        mtu=1400,
    )
    driver.ensure_dhcp(1, wanted)
    said = Guest(driver, 1, MAC, "guest").ask(tmp_path)
    assert (said["ip"], said["subnet"]) == ("192.0.2.77", "255.255.255.0")
    assert (said["router"], said["mtu"]) == ("192.0.2.1", "1400")
    assert said["dns"] == "203.0.113.53 203.0.113.54"
    assert driver.addresses(1)[MAC] == ("192.0.2.77",)


def test_a_guest_without_a_reservation_gets_an_address_that_nobody_has(
    driver: NetworkDriver, tmp_path: Path
) -> None:
    driver.ensure_bridge(1, BridgeWanted())
    wanted = service(
        guests={MAC: None, OTHER_MAC: IPv4Address("192.0.2.9")}, gateway=IPv4Address("192.0.2.1")
    )
    driver.ensure_dhcp(1, wanted)
    said = Guest(driver, 1, MAC, "guest").ask(tmp_path)
    assert said["ip"].startswith("192.0.2.")
    assert said["ip"] not in ("192.0.2.1", "192.0.2.9", "192.0.2.254")
    assert "dns" not in said


def test_whoever_is_no_guest_gets_no_answer(driver: NetworkDriver, tmp_path: Path) -> None:
    driver.ensure_bridge(1, BridgeWanted())
    driver.ensure_dhcp(1, service(guests={MAC: None}))
    assert Guest(driver, 1, OTHER_MAC, "stranger").ask(tmp_path) == {}


def test_a_guest_that_came_later_is_served_by_the_same_process(driver: NetworkDriver, tmp_path: Path) -> None:
    driver.ensure_bridge(1, BridgeWanted())
    driver.ensure_dhcp(1, service(guests={}))
    [pid] = DIRECTORY.glob("*/dhcp-1/pid")
    before = pid.read_text()
    driver.ensure_dhcp(1, service(guests={MAC: IPv4Address("192.0.2.5")}))
    assert Guest(driver, 1, MAC, "guest").ask(tmp_path)["ip"] == "192.0.2.5"
    assert pid.read_text() == before


def test_a_guest_that_left_has_no_lease_any_more(driver: NetworkDriver, tmp_path: Path) -> None:
    driver.ensure_bridge(1, BridgeWanted())
    driver.ensure_dhcp(1, service(guests={MAC: IPv4Address("192.0.2.5")}))
    guest = Guest(driver, 1, MAC, "guest")
    guest.ask(tmp_path)
    ip("netns", "delete", guest.name)
    driver.ensure_dhcp(1, service(guests={OTHER_MAC: IPv4Address("192.0.2.5")}))
    assert Guest(driver, 1, OTHER_MAC, "next").ask(tmp_path)["ip"] == "192.0.2.5"


def test_a_killed_server_is_started_again(driver: NetworkDriver) -> None:
    driver.ensure_bridge(1, BridgeWanted())
    driver.ensure_dhcp(1, service())
    [pid] = DIRECTORY.glob("*/dhcp-1/pid")
    subprocess.run(["kill", "-9", pid.read_text().strip()], check=True)
    deadline = time.monotonic() + 5
    while (state := driver.observe_dhcp(1)) is not None and state.running:
        assert time.monotonic() < deadline
    assert driver.ensure_dhcp(1, service()).running


def test_a_server_whose_pid_file_was_lost_is_found_and_not_doubled(driver: NetworkDriver) -> None:
    driver.ensure_bridge(1, BridgeWanted())
    driver.ensure_dhcp(1, service())
    [pid] = DIRECTORY.glob("*/dhcp-1/pid")
    process = pid.read_text().strip()
    pid.unlink()
    assert driver.ensure_dhcp(1, service()).running
    command = Path(f"/proc/{process}/cmdline")
    assert "dnsmasq" in command.read_text()
    driver.remove_dhcp(1)
    # whoever inherited it may not have read yet how it ended
    assert not command.exists() or command.read_text() == ""


def test_a_guest_that_was_heard_of_is_known_by_its_address(driver: NetworkDriver) -> None:
    driver.ensure_bridge(1, BridgeWanted())
    driver.ensure_dhcp(1, service())
    guest = Guest(driver, 1, MAC, "guest")
    ip("-n", "guest", "address", "add", "192.0.2.200/24", "dev", "eth0")
    assert guest.run("busybox", "ping", "-c", "1", "-W", "2", "192.0.2.254").returncode == 0
    assert driver.addresses(1)[MAC] == ("192.0.2.200",)


def test_two_networks_hear_nothing_of_each_other(driver: NetworkDriver) -> None:
    for network, mac, name, address in ((1, MAC, "one", "192.0.2.1"), (2, OTHER_MAC, "two", "192.0.2.2")):
        driver.ensure_bridge(network, BridgeWanted())
        Guest(driver, network, mac, name)
        ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
    one = subprocess.run(
        ["ip", "netns", "exec", "one", "busybox", "ping", "-c", "1", "-W", "1", "192.0.2.2"],
        capture_output=True,
        check=False,
    )
    assert one.returncode != 0


def test_the_host_is_deaf_and_dumb_on_the_devices_of_guests(driver: NetworkDriver) -> None:
    driver.ensure_bridge(1, BridgeWanted())
    driver.ensure_port(7, PortWanted(network=1, mac=MAC))
    for device in (driver.bridge_device(1), driver.port_device(7)):
        assert Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6").read_text().strip() == "1"
        assert "inet" not in ip("address", "show", "dev", device)


def test_two_installations_on_one_host_leave_each_other_alone(driver: NetworkDriver) -> None:
    other = LinuxNetwork(tag=tag_of("/srv/another"), directory=DIRECTORY)
    for each in (driver, other):
        each.ensure_bridge(1, BridgeWanted())
        each.ensure_port(7, PortWanted(network=1, mac=MAC, from_guest_kbps=100))
        each.ensure_dhcp(1, service())
    driver.remove_dhcp(1)
    driver.remove_port(7)
    driver.remove_bridge(1)
    driver.reclaim()
    survey = other.survey()
    assert (survey.bridges, survey.ports, survey.dhcp) == ({1}, {7}, {1})
    assert driver.survey().bridges == set()
    other.remove_dhcp(1)


def test_all_of_it_together_leaves_no_device_behind(driver: NetworkDriver) -> None:
    before = link_names()
    driver.ensure_bridge(1, BridgeWanted())
    driver.ensure_port(7, PortWanted(network=1, mac=MAC, to_guest_kbps=100, from_guest_kbps=100))
    driver.ensure_dhcp(1, service())
    driver.remove_dhcp(1)
    driver.remove_port(7)
    driver.remove_bridge(1)
    assert link_names() == before
    assert list(Path("/run/netns").iterdir()) == []
    assert list(DIRECTORY.glob("*/*")) == []


def test_what_a_guest_sends_is_slowed_down_to_its_limit(driver: NetworkDriver) -> None:
    driver.ensure_bridge(1, BridgeWanted())
    driver.ensure_port(7, PortWanted(network=1, mac=MAC, from_guest_kbps=4_000, to_guest_kbps=4_000))
    shaper = driver.port_device(7).replace("t7", "i7")
    assert (
        "rate 4Mbit"
        in subprocess.run(
            ["tc", "qdisc", "show", "dev", shaper], capture_output=True, text=True, check=True
        ).stdout
    )
    redirected = subprocess.run(
        ["tc", "filter", "show", "dev", driver.port_device(7), "ingress"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"Redirect to device {shaper}" in redirected
