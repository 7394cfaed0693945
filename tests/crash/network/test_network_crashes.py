"""SIGKILL at every crash point that the life of a few networks passes: a real kernel, a real dnsmasq."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_programs import Ended, Nursery
from network_life import PHYSICAL, World, driver_in, expected, installation

from network_installation import Installation, eventually
from own_network import may_make_networks, own_network
from stratal.kernel.effects import Effect

_PROGRAM = [sys.executable, str(Path(__file__).with_name("network_life.py"))]
_TESTS = Path(__file__).parents[2]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{_TESTS}{os.pathsep}{_TESTS / 'crash'}"}

#: bonds and VLAN devices need a kernel that has them, and are made by the same few lines as bridges
_ELSEWHERE = ("linux.bond.", "linux.vlan.")

pytestmark = pytest.mark.skipif(not may_make_networks(), reason="only root may make network namespaces")


def _crash_points() -> list[str]:
    points = Effect.crash_points()
    return [each for each in points if each.startswith("linux.") and not each.startswith(_ELSEWHERE)]


@pytest.fixture(scope="module")
def lives() -> Iterator[Nursery]:
    """Starts lives, in the network that the tests of this module are in, too."""
    with own_network():
        pipe = subprocess.PIPE
        command = [*_PROGRAM, "nursery"]
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=_ENVIRONMENT) as process:
            yield Nursery(process)


@pytest.fixture
def ground(lives: Nursery) -> Iterator[Path]:
    """Where DHCP services keep their files; there is an interface, and nothing else."""
    subprocess.run(["ip", "link", "add", PHYSICAL, "type", "veth", "peer", "far"], check=True)
    subprocess.run(["ip", "link", "set", "far", "up"], check=True)
    # no other process's: services are told apart by it, and processes are seen from every network
    directory = Path(f"/run/stratal-{os.getpid()}")
    directory.mkdir(exist_ok=True)
    yield directory
    subprocess.run(["ip", "link", "delete", PHYSICAL], check=True)


@pytest.mark.parametrize("crash_at", _crash_points())
def test_a_life_killed_at_a_crash_point_goes_on_as_if_nothing_had_been(
    lives: Nursery, sqlite_url: str, ground: Path, tmp_path: Path, crash_at: str
) -> None:
    ended = lives.run(tmp_path, "live", sqlite_url, str(ground), crash_at=crash_at)
    # what is done twice, and what is found done, depends on what is quicker: a life may miss a point
    assert ended.status in (-signal.SIGKILL, 0), ended.logs
    _check(ended, sqlite_url, ground)


def test_the_life_passes_the_crash_points_of_whatever_can_happen_to_a_network(
    lives: Nursery, sqlite_url: str, ground: Path, tmp_path: Path
) -> None:
    ended = lives.run(tmp_path, "passed", sqlite_url, str(ground))
    assert ended.status == 0, ended.logs
    passed = {line.split()[1] for line in ended.output.splitlines() if line.startswith("passed ")}
    missed = [point for point in _crash_points() if point not in passed]
    assert missed == []
    _check(ended, sqlite_url, ground)


def _check(ended: Ended, url: str, ground: Path) -> None:
    """Start anew, with no other means than an engine: all acknowledged deeds were done, and nothing is left
    over of any."""
    world, open_deed = expected(ended.output)
    with installation(url, ground) as here:
        here.at_rest(60)
        possible = [world] if open_deed is None else [world, world.after(open_deed)]
        found = _found(here)
        assert found in [_expected(each) for each in possible], open_deed
        _check_host(here, ground)
        _erase_everything(here)
    _check_nothing_left(ground)


Found = tuple[dict[str, tuple[int, str | None]], dict[str, int], bool]


def _expected(world: World) -> Found:
    nets = {name: (spec.get("mtu", 1500), spec.get("cidr")) for name, spec in world.nets.items()}
    return nets, {name: spec.get("kbps", 0) for name, spec in world.guests.items()}, world.attached


def _found(here: Installation) -> Found:
    nets = {each.spec.name: (each.spec.mtu, each.spec.cidr) for each in here.all(here.network.br_nets)}
    guests = {each.spec.name: each.spec.kbps for each in here.all(here.guests)}
    attached = any(each.spec.nic_ids for each in here.all(here.network.vsws))
    return nets, guests, attached


def _check_host(here: Installation, ground: Path) -> None:
    """The host has what the specs say, and nothing else."""
    nets = here.all(here.network.br_nets)
    driver = driver_in(ground)
    survey = driver.survey()
    assert survey.bridges == {each.id for each in nets}
    assert survey.dhcp == {each.id for each in nets if each.spec.cidr}
    assert survey.leftovers == set()
    for net in nets:
        bridge = driver.observe_bridge(net.id)
        assert bridge is not None
        assert bridge.up
        assert bridge.mtu == net.spec.mtu
        switch = here.show(here.network.vsws, net.spec.vsw_id)
        assert bridge.uplink == (PHYSICAL if switch.spec.nic_ids else None)
        if net.spec.cidr:
            service = driver.observe_dhcp(net.id)
            assert service is not None
            assert service.running
            assert len(service.addresses) == 1
    guests = here.all(here.guests)
    assert survey.ports == {each.id for each in guests}
    for guest in guests:
        port = driver.observe_port(guest.id)
        assert port is not None
        assert port.network == guest.spec.br_net_id
        assert port.to_guest_kbps == port.from_guest_kbps == (guest.spec.kbps or None)


def _erase_everything(here: Installation) -> None:
    for service in (here.guests, here.network.br_nets):
        for id in here.named(service).values():
            here.delete(service, id)
        eventually(lambda service=service: not here.all(service))
    for switch in here.all(here.network.vsws):
        if switch.spec.nic_ids:
            here.act(here.network.vsws, switch.id, "detach-nics", nic_ids=switch.spec.nic_ids)
    here.at_rest()


def _check_nothing_left(ground: Path) -> None:
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    names = {line.split(": ")[1].partition("@")[0] for line in links.splitlines()}
    assert names == {"lo", PHYSICAL, "far"}
    assert list(Path("/run/netns").iterdir()) == []
    assert list(ground.glob("*/*")) == []
    commands = [_command(each) for each in os.listdir("/proc") if each.isdecimal()]
    assert [each for each in commands if f"--conf-file={ground}" in each] == []


def _command(process: str) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
