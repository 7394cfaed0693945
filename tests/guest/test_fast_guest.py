"""The guest that is started directly: what it sees and can be made to do, from inside and from outside."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guest import qemu
from guest.built import GuestFiles, fast_guest  # noqa: F401
from guest.control import GuestControl, GuestRefused, GuestSilent
from guest.pattern import pattern

MIB = 1 << 20
NIC, OTHER_NIC = "52:54:00:00:00:01", "52:54:00:00:00:02"

pytestmark = pytest.mark.xdist_group("guest")


def _raw(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


@pytest.fixture(scope="module")
def machine(fast_guest: GuestFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[qemu.Qemu]:  # noqa: F811
    """One machine for all tests that leave it as they found it: q35, a disk on each bus, a CD drive."""
    reason = qemu.why_not()
    if reason is not None:
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("q")
    _raw(directory / "disc.iso", 3 * MIB)
    arguments: list[str | Path] = ["-machine", "q35", "-uuid", "12345678-1234-4123-8123-123456789abc"]
    arguments += ["-kernel", fast_guest.vmlinux, "-initrd", fast_guest.initramfs]
    arguments += ["-append", fast_guest.command_line, "-device", "virtio-scsi-pci,id=scsi"]
    for port in range(3):
        arguments += ["-device", f"pcie-root-port,id=port{port},slot={port},chassis={port}"]
    disks = {"a": "virtio-blk-pci", "b": "scsi-hd,bus=scsi.0", "c": "ide-hd,bus=ide.0"}
    for number, (name, device) in enumerate(disks.items(), start=1):
        path = _raw(directory / f"{name}.raw", 16 * number * MIB)
        arguments += ["-drive", f"if=none,id=disk-{name},format=raw,file={path}"]
        arguments += ["-device", f"{device},drive=disk-{name},serial=serial-{name},id={name}"]
    arguments += [
        "-device",
        "ide-cd,bus=ide.1,id=cd",
        "-netdev",
        "user,restrict=on,id=n0",
        "-netdev",
        "user,restrict=on,id=n1",
    ]
    arguments += [
        "-device",
        f"virtio-net-pci,netdev=n0,mac={NIC}",
        "-device",
        f"e1000,netdev=n1,mac={OTHER_NIC}",
    ]
    with qemu.Qemu(directory, *arguments) as machine:
        machine.control.wait_ready()
        yield machine


@pytest.fixture
def guest(machine: qemu.Qemu) -> GuestControl:
    return machine.control


def test_a_machine_is_seen_from_inside_as_it_was_made(guest: GuestControl) -> None:
    seen = guest.machine()

    assert (seen.cpus, seen.firmware, seen.uuid) == (1, "bios", "12345678-1234-4123-8123-123456789abc")
    assert 180 * MIB < seen.memory_bytes < 256 * MIB
    assert abs(seen.rtc - time.time()) < 5


def test_disks_of_every_bus_are_listed_with_their_sizes_and_serials(guest: GuestControl) -> None:
    for letter in "abc":
        guest.wait_device(f"serial-{letter}")

    disks = {disk.serial[-1]: disk for disk in guest.devices() if disk.kind == "disk"}
    assert [disks[letter].bus for letter in "abc"] == ["virtio", "scsi", "ata"]
    assert [disks[letter].size_bytes // MIB for letter in "abc"] == [16, 32, 48]
    assert {disk.kind for disk in guest.devices()} == {"disk", "cdrom"}


def test_interfaces_are_listed_and_get_addresses_by_dhcp(guest: GuestControl) -> None:
    nics = [guest.wait_nic(mac, address=True) for mac in (NIC, OTHER_NIC)]

    assert [nic.driver for nic in nics] == ["virtio_net", "e1000"]
    assert [nic.ipv4 for nic in nics] == [["10.0.2.15"], ["10.0.2.15"]]
    assert guest.ping("10.0.2.2")
    assert not guest.ping("10.0.2.77", seconds=1)


def test_a_pattern_is_at_its_place_on_the_disk_and_the_same_from_outside(
    machine: qemu.Qemu, guest: GuestControl
) -> None:
    disk = guest.wait_device("serial-a").path

    guest.write_pattern(disk, 7, 4 * MIB - 512, 2 * MIB + 1024)

    with (machine.directory / "a.raw").open("rb") as file:
        file.seek(4 * MIB - 1024)
        found = file.read(2 * MIB + 2048)
    assert found == bytes(512) + pattern(7, 4 * MIB - 512, 2 * MIB + 1024) + bytes(512)
    assert guest.verify_pattern(disk, 7, 4 * MIB, 2 * MIB).matches


@pytest.mark.parametrize("letter", ["a", "b", "c"])
def test_the_first_byte_that_differs_is_told(machine: qemu.Qemu, guest: GuestControl, letter: str) -> None:
    disk = guest.wait_device(f"serial-{letter}").path
    guest.write_pattern(disk, 1, 8 * MIB, 4 * MIB)
    place = 8 * MIB + 3 * MIB + 777
    expected = pattern(1, place // 512 * 512, 512)[place % 512 :]
    with (machine.directory / f"{letter}.raw").open("r+b") as file:
        file.seek(place)
        file.write(bytes([expected[0] ^ 1]))

    verdict = guest.verify_pattern(disk, 1, 8 * MIB, 4 * MIB)

    assert (verdict.matches, verdict.offset) == (False, place)
    assert verdict.expected is not None
    assert bytes.fromhex(verdict.expected) == expected[:16]


def test_patterns_of_other_seeds_and_places_differ(guest: GuestControl) -> None:
    disk = guest.wait_device("serial-a").path
    guest.write_pattern(disk, 1, 12 * MIB, MIB)
    guest.run(
        f"dd if={disk} of={disk} bs=512 count=1 skip={12 * 2048 + 1} seek={12 * 2048} conv=notrunc,fsync"
    )

    assert guest.verify_pattern(disk, 2, 13 * MIB - 512, 512).offset == 13 * MIB - 512
    assert guest.verify_pattern(disk, 1, 12 * MIB, MIB).offset == 12 * MIB, "a sector that was moved shows"


def test_a_hash_is_the_one_that_is_computed_outside(guest: GuestControl) -> None:
    disk = guest.wait_device("serial-b").path
    guest.write_pattern(disk, 3, 0, 3 * MIB)

    assert (
        guest.sha256(disk, 512, 3 * MIB - 512) == hashlib.sha256(pattern(3, 512, 3 * MIB - 512)).hexdigest()
    )


def test_what_a_disk_cannot_do_is_refused(guest: GuestControl) -> None:
    disk = guest.wait_device("serial-a").path

    with pytest.raises(GuestRefused, match="No space left"):
        guest.write_pattern(disk, 1, 16 * MIB - 512, 1024)
    with pytest.raises(GuestRefused, match="No data available"):
        guest.verify_pattern(disk, 1, 16 * MIB, 512)
    with pytest.raises(GuestRefused, match="No such file"):
        guest.sha256("/dev/vdz", 0, 512)
    with pytest.raises(GuestRefused, match="multiples of 512"):
        guest.write_pattern(disk, 1, 100, 512)


def test_texts_of_any_characters_come_back_as_they_were(guest: GuestControl) -> None:
    text = 'a % b\n"quoted"\t100%20 \\ end'

    guest.write_file("/tmp/with space", text)

    assert guest.read_file("/tmp/with space") == text
    assert guest.run("cat '/tmp/with space'; exit 3").output == text


def test_heartbeats_show_a_machine_that_stood_still(machine: qemu.Qemu, guest: GuestControl) -> None:
    disk = guest.wait_device("serial-b").path
    guest.start_beat("still", disk, interval_seconds=0.01)
    time.sleep(1)
    before = guest.beat("still", mark=True)
    with machine.stopped_process(1.5):
        pass
    time.sleep(0.5)

    after = guest.stop_beat("still")

    assert before.largest_gap_ns < 1_000_000_000
    assert 1_400_000_000 < after.largest_gap_ns < 5_000_000_000
    assert before.written <= after.largest_gap_after + 2 < after.written
    assert after.since_mark == after.written - before.written
    assert (after.running, after.error) == (False, "")


def test_heartbeats_at_the_host_show_a_pause_that_stops_the_guests_clock(
    machine: qemu.Qemu, guest: GuestControl
) -> None:
    disk = guest.wait_device("serial-b").path
    guest.start_beat("paused", disk, interval_seconds=0.01, echo=True)
    time.sleep(0.5)
    guest.beat("paused", mark=True)
    machine.monitor.call("stop")
    time.sleep(1.5)
    machine.monitor.call("cont")
    time.sleep(0.5)

    inside, outside = guest.stop_beat("paused"), guest.host_gap("paused")

    assert outside.largest_gap_seconds > 1.4
    assert outside.last_number > 10
    assert inside.largest_gap_ns < outside.largest_gap_seconds * 1e9


def test_beats_on_a_disk_are_without_a_gap_up_to_the_last(guest: GuestControl) -> None:
    disk = guest.wait_device("serial-c").path
    run = guest.start_beat("ring", disk, offset=MIB, length=64 * 4096, interval_seconds=0.001, flush=True).run
    while guest.beat("ring").written < 100:
        time.sleep(0.1)
    written = guest.stop_beat("ring").written

    found = guest.read_beats(disk, offset=MIB, length=64 * 4096)

    assert (found.run, found.count, found.missing, found.torn) == (run, 64, 0, 0)
    assert (found.first, found.last) == (written - 64, written - 1)


def test_a_torn_beat_is_found(machine: qemu.Qemu, guest: GuestControl) -> None:
    disk = guest.wait_device("serial-c").path
    guest.start_beat("torn", disk, offset=8 * MIB, length=MIB, interval_seconds=0.001)
    while guest.beat("torn").written < 20:
        time.sleep(0.1)
    written = guest.stop_beat("torn").written
    with (machine.directory / "c.raw").open("r+b") as file:
        file.seek(8 * MIB + 5 * 4096 + 2048)
        file.write(bytes(512))

    found = guest.read_beats(disk, offset=8 * MIB, length=MIB)

    assert (found.torn, found.missing, found.count) == (1, 1, min(written, 256) - 1)


def test_a_beat_that_cannot_write_says_why(guest: GuestControl) -> None:
    disk = guest.wait_device("serial-a").path
    guest.start_beat("beyond", disk, offset=16 * MIB, length=MIB)
    time.sleep(0.5)

    report = guest.stop_beat("beyond")

    assert (report.running, report.error) == (False, "No space left on device")


def test_a_file_system_is_frozen_and_thawed_by_the_agent(machine: qemu.Qemu, guest: GuestControl) -> None:
    disk = guest.wait_device("serial-c").path
    guest.make_filesystem(disk)
    guest.mount(disk, "/mnt/data")
    guest.mount(disk, "/mnt/data")  # idempotent
    guest.write_file("/mnt/data/text", "kept")
    with machine.agent() as agent:
        assert agent.call("guest-fsfreeze-status") == "thawed"
        assert agent.call("guest-fsfreeze-freeze") == 1
        try:
            assert guest.frozen("/mnt/data")
            assert agent.call("guest-fsfreeze-status") == "frozen"
        finally:
            assert agent.call("guest-fsfreeze-thaw") == 1

    assert not guest.frozen("/mnt/data", seconds=10)
    assert guest.read_file("/mnt/data/text") == "kept"
    guest.unmount("/mnt/data")
    guest.unmount("/mnt/data")
    assert guest.check_filesystem(disk).code == 0


def test_the_agent_tells_addresses(machine: qemu.Qemu, guest: GuestControl) -> None:
    guest.wait_nic(NIC, address=True)
    with machine.agent() as agent:
        interfaces = {entry["name"]: entry for entry in agent.call("guest-network-get-interfaces")}
        name = agent.call("guest-get-osinfo")["id"]

    assert interfaces["eth0"]["hardware-address"] == NIC
    assert "10.0.2.15" in {address["ip-address"] for address in interfaces["eth0"]["ip-addresses"]}
    assert name == "stratal-guest"


def test_an_agent_can_hang_be_missing_and_come_back(machine: qemu.Qemu, guest: GuestControl) -> None:
    try:
        assert guest.agent("hang").mode == "hang"
        with pytest.raises(TimeoutError):
            machine.agent(seconds=2)
        assert guest.agent("off").mode == "off"
        with pytest.raises(TimeoutError):
            machine.agent(seconds=2)
    finally:
        guest.agent("run")
    deadline = time.monotonic() + 20
    while not guest.agent().running and time.monotonic() < deadline:
        time.sleep(0.1)
    # What was asked of the silent ones is answered first, as with any agent that was slow.
    with qemu.Conversation(machine.agent_socket) as conversation:
        while conversation.call("guest-sync", id=time.monotonic_ns() % 10**9) is None:
            pass
        conversation.call("guest-ping")


def test_an_agent_can_be_stuck_in_a_freeze(machine: qemu.Qemu, guest: GuestControl) -> None:
    guest.agent("stuck")
    try:
        with machine.agent(seconds=2) as agent, pytest.raises(TimeoutError):
            agent.call("guest-fsfreeze-freeze")
    finally:
        guest.agent("run")
    with qemu.Conversation(machine.agent_socket) as agent:
        agent.call("guest-fsfreeze-thaw")


def test_a_disk_is_plugged_grown_and_unplugged_while_the_guest_runs(
    machine: qemu.Qemu, guest: GuestControl
) -> None:
    path = _raw(machine.directory / "hot.raw", 8 * MIB)
    monitor = machine.monitor
    for bus, device in (("port0", "virtio-blk-pci"), ("scsi.0", "scsi-hd")):
        monitor.call(
            "blockdev-add",
            driver="raw",
            **{"node-name": "hot"},
            file={"driver": "file", "filename": str(path)},
        )
        monitor.call("device_add", driver=device, bus=bus, drive="hot", id="hot", serial="hot")
        disk = guest.wait_device("hot", size_bytes=8 * MIB)
        guest.write_pattern(disk.path, 5, 0, MIB)

        monitor.call("block_resize", **{"node-name": "hot"}, size=12 * MIB)
        guest.rescan()
        assert guest.wait_device("hot", size_bytes=12 * MIB).path == disk.path

        monitor.call("device_del", id="hot")
        monitor.wait_event("DEVICE_DELETED")
        guest.wait_no_device("hot")
        monitor.call("blockdev-del", **{"node-name": "hot"})
        assert path.read_bytes()[:MIB] == pattern(5, 0, MIB)
        _raw(path, 8 * MIB)


def test_an_interface_is_plugged_with_an_address_and_unplugged(
    machine: qemu.Qemu, guest: GuestControl
) -> None:
    mac = "52:54:00:00:00:03"
    machine.monitor.call("netdev_add", type="user", restrict=True, id="hotnet")
    machine.monitor.call(
        "device_add", driver="virtio-net-pci", bus="port1", netdev="hotnet", id="hotnic", mac=mac
    )

    assert guest.wait_nic(mac, 30, address=True).link
    machine.monitor.call("set_link", name="hotnic", up=False)
    deadline = time.monotonic() + 10
    while guest.wait_nic(mac).link and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not guest.wait_nic(mac).link

    machine.monitor.call("device_del", id="hotnic")
    machine.monitor.wait_event("DEVICE_DELETED")
    machine.monitor.call("netdev_del", id="hotnet")
    assert mac not in {nic.mac for nic in guest.nics()}


def test_a_disc_is_inserted_read_and_ejected_from_both_sides(machine: qemu.Qemu, guest: GuestControl) -> None:
    def drive() -> tuple[bool, int]:
        found = next(device for device in guest.devices() if device.kind == "cdrom")
        return found.medium, found.size_bytes

    def insert() -> None:
        machine.monitor.call(
            "blockdev-change-medium", id="cd", filename=str(machine.directory / "disc.iso"), format="raw"
        )

    assert drive() == (False, 0)
    insert()
    assert drive() == (True, 3 * MIB)
    assert guest.sha256("/dev/sr0", 0, MIB) == hashlib.sha256(bytes(MIB)).hexdigest()

    guest.eject("/dev/sr0")
    assert drive()[0] is False
    assert machine.monitor.wait_event("DEVICE_TRAY_MOVED")["data"]["tray-open"]
    insert()
    assert drive() == (True, 3 * MIB)

    machine.monitor.call("eject", id="cd", force=True)
    assert drive()[0] is False


def test_requests_are_answered_while_another_takes_long(guest: GuestControl) -> None:
    with pytest.raises(GuestRefused, match="took longer"):
        guest.run("sleep 60", seconds=0.5)
    begun = time.monotonic()
    with pytest.raises(GuestSilent):
        guest._ask(type(guest.hello()), "run", 3000, "sleep 2", seconds=0.5)  # pyright: ignore[reportPrivateUsage]
    guest.hello()
    assert time.monotonic() - begun < 2
