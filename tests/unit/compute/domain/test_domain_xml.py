"""The XML of libvirt's domains, against committed files. STRATAL_GOLDEN=write writes them anew."""

import os
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from stratal.compute.domain import (
    Bus,
    CacheMode,
    CdRom,
    CephCluster,
    Channel,
    CpuMode,
    CpuTopology,
    DirectBoot,
    Disk,
    FileImage,
    Firmware,
    Graphics,
    Limits,
    MachineDefinition,
    MachineId,
    Nic,
    NicModel,
    RbdImage,
    altering,
    reading,
    writing,
)

_GOLDEN = Path(__file__).with_name("golden")
_TCG = writing.Platform(
    kvm=False, owner="here", uefi_code=Path("/fw/CODE.fd"), uefi_variables=Path("/fw/VARS.fd")
)
_KVM = replace(_TCG, kvm=True)


def layer(name: str) -> FileImage:
    return FileImage(path=Path("/images", name), format="qcow2")


PLAIN = MachineDefinition(
    machine=MachineId("0b0e6a0c-8a54-4c0e-9d3e-5f6f0a1b2c3d"),
    name="plain",
    memory_bytes=512 * 2**20,
    disks=(Disk(target="vda", bus=Bus.VIRTIO, chain=(layer("a.qcow2"),), boot_order=1),),
)
CHAIN = replace(
    PLAIN,
    name="Drei <Schichten> & 'mehr'",
    disks=(
        Disk(
            target="vda",
            bus=Bus.VIRTIO,
            chain=(layer("c.qcow2"), layer("b.qcow2"), FileImage(path=Path("/images/a.raw"), format="raw")),
            serial="0123-abcd",
            limits=Limits(iops=500, bytes_per_second=10 * 2**20),
            cache=CacheMode.WRITEBACK,
        ),
        Disk(target="sdb", bus=Bus.SCSI, chain=(layer("d.qcow2"),), read_only=True),
    ),
    cd_roms=(
        CdRom(target="sda", bus=Bus.SATA, medium=(layer("iso.qcow2"),), boot_order=2),
        CdRom(target="sdc", bus=Bus.SCSI),
    ),
)
CEPH = CephCluster(conf=Path("/etc/ceph/ceph.conf"), user="stratal", keyring=Path("/etc/ceph/keyring"))
RBD = replace(
    PLAIN,
    name="rbd",
    disks=(
        Disk(
            target="vda",
            bus=Bus.VIRTIO,
            chain=(RbdImage(cluster=CEPH, pool="pool", namespace="space", image="image"),),
        ),
        Disk(
            target="vdb",
            bus=Bus.VIRTIO,
            read_only=True,
            chain=(
                RbdImage(
                    cluster=replace(CEPH, keyring=None), pool="pool", image="other", snapshot="yesterday"
                ),
            ),
        ),
    ),
)
UEFI = replace(
    PLAIN,
    name="uefi",
    firmware=Firmware.UEFI,
    nvram=Path("/nvram/one.fd"),
    cpu=CpuTopology(sockets=2, cores_per_socket=4, threads_per_core=2),
    cpu_mode=CpuMode.HOST_MODEL,
    clock="Europe/Vienna",
    graphics=Graphics(spice=True, password="longer than eight", listen="0.0.0.0"),
    nics=(
        Nic(mac="52:54:00:11:22:33", tap="tap0", queues=4, mtu=9000, boot_order=2),
        Nic(mac="52:54:00:11:22:34", tap="tap1", model=NicModel.E1000E, link_up=False),
    ),
)
IDE = replace(
    PLAIN,
    name="ide",
    cpu_mode=CpuMode.CUSTOM,
    cpu_model="Nehalem",
    clock="localtime",
    disks=(Disk(target="hda", bus=Bus.IDE, chain=(layer("a.qcow2"),)),),
    cd_roms=(CdRom(target="hdc", bus=Bus.IDE),),
    graphics=Graphics(vnc=False),
    agent=False,
    channels=(Channel(name="org.example.0", socket=Path("/run/one.sock")),),
    console_log=Path("/log/console.log"),
    direct_boot=DirectBoot(
        kernel=Path("/boot/vmlinuz"), initramfs=Path("/boot/initrd"), command_line='console=ttyS0 a="b"'
    ),
)

MODELS = replace(
    PLAIN,
    name="models",
    cpu_mode=CpuMode.CUSTOM,
    cpu_model="EPYC-Rome",
    disks=(
        Disk(target="vda", bus=Bus.VIRTIO, chain=(layer("a.qcow2"),), boot_order=1),
        Disk(target="sda", bus=Bus.SATA, chain=(layer("b.qcow2"),), boot_order=3),
        Disk(
            target="sdb",
            bus=Bus.SCSI,
            chain=(layer("c.qcow2"),),
            boot_order=2,
            cache=CacheMode.WRITETHROUGH,
        ),
    ),
    nics=tuple(
        Nic(mac=f"52:54:00:11:22:4{number}", tap=f"tap{number}", model=model, boot_order=4 + number)
        for number, model in enumerate(NicModel)
    ),
)
"""Every model of NIC, every bus that a Q35 board has, and a processor by its name, emulated."""

CASES = [
    ("plain", PLAIN, _TCG),
    ("chain", CHAIN, _TCG),
    ("rbd", RBD, _TCG),
    ("uefi", UEFI, _KVM),
    ("ide", IDE, _KVM),
    ("models", MODELS, _TCG),
]


@pytest.mark.parametrize(("name", "definition", "platform"), CASES, ids=[case[0] for case in CASES])
class TestWriting:
    def test_a_definition_is_written_as_it_was_before(
        self, name: str, definition: MachineDefinition, platform: writing.Platform
    ) -> None:
        golden, xml = _GOLDEN / f"{name}.xml", writing.domain(definition, platform)
        if os.environ.get("STRATAL_GOLDEN") == "write":
            golden.parent.mkdir(exist_ok=True)
            golden.write_text(xml)
        assert xml == golden.read_text()

    def test_what_is_written_is_read_back(
        self, name: str, definition: MachineDefinition, platform: writing.Platform
    ) -> None:
        domain = reading.read(writing.domain(definition, platform))
        assert (domain.name, domain.owner) == (definition.name, "here")
        assert (domain.cpus, domain.memory_bytes) == (definition.cpu.count, definition.memory_bytes)
        assert [each.chain for each in domain.disks.values()] == [each.chain for each in definition.disks]
        assert [each.limits for each in domain.disks.values()] == [each.limits for each in definition.disks]
        assert [each.serial for each in domain.disks.values()] == [each.serial for each in definition.disks]
        assert [each.medium for each in domain.cd_roms.values()] == [
            each.medium for each in definition.cd_roms
        ]
        assert [(each.mac, each.tap, each.link_up) for each in domain.nics.values()] == [
            (each.mac, each.tap, each.link_up) for each in definition.nics
        ]


def test_only_as_much_of_a_password_as_vnc_takes_is_written() -> None:
    xml = writing.domain(UEFI, _KVM)
    root = ElementTree.fromstring(xml)
    words = {each.get("type"): each.get("passwd") for each in root.iterfind("devices/graphics")}
    assert words == {"vnc": "longer t", "spice": "longer than eight"}
    assert "longer" not in repr(UEFI)


def test_the_key_of_a_ceph_user_is_named_and_never_written() -> None:
    xml = writing.domain(RBD, _TCG)
    assert writing.ceph_secret_id(CEPH) in xml
    assert "keyring" not in xml
    assert "private" in writing.ceph_secret(CEPH)


def test_a_link_goes_down_and_up_again() -> None:
    xml = writing.domain(UEFI, _KVM)
    down = altering.relinked(xml, "52:54:00:11:22:33", up=False)
    assert down is not None
    assert 'state="down"' in down
    assert "tap0" in down
    assert altering.relinked(xml, "52:54:00:00:00:00", up=True) is None


def test_a_medium_is_changed_and_the_drive_stays_what_it_is() -> None:
    xml = writing.domain(CHAIN, _TCG)
    changed = altering.with_medium(xml, CdRom(target="sdc", bus=Bus.SATA, medium=(layer("new.qcow2"),)))
    assert changed is not None
    assert "new.qcow2" in changed
    assert 'bus="scsi"' in changed
    emptied = altering.with_medium(xml, CdRom(target="sda", bus=Bus.SATA))
    assert emptied is not None
    assert "source" not in emptied
    assert altering.with_medium(xml, CdRom(target="vda", bus=Bus.SATA)) is None


def test_a_saved_machine_goes_on_with_other_disks_taps_and_passwords() -> None:
    saved = writing.domain(replace(UEFI, graphics=Graphics()), _KVM)
    other = replace(
        UEFI,
        disks=(replace(UEFI.disks[0], chain=(layer("branch.qcow2"), layer("a.qcow2"))),),
        nics=tuple(replace(nic, tap=f"new{number}") for number, nic in enumerate(UEFI.nics)),
        graphics=Graphics(password="word"),
    )
    domain = reading.read(xml := altering.resumed(saved, other))
    assert domain.disks["vda"].chain == other.disks[0].chain
    assert [nic.tap for nic in domain.nics.values()] == ["new0", "new1"]
    assert 'passwd="word"' in xml


def test_a_hold_is_read_with_the_overlays_that_it_left() -> None:
    root = ElementTree.fromstring(writing.domain(PLAIN, _TCG))
    metadata = root.find("metadata")
    assert metadata is not None
    hold = ElementTree.SubElement(metadata, f"{{{writing.HOLD_NAMESPACE}}}hold", undo="resume")
    ElementTree.SubElement(hold, f"{{{writing.HOLD_NAMESPACE}}}stale", file="/images/o.qcow2")
    domain = reading.read(writing.text(root))
    assert (domain.undo, domain.stale) == (reading.Undo.RESUME, (Path("/images/o.qcow2"),))
    assert reading.read(writing.domain(PLAIN, _TCG)).undo is None


def test_chains_jobs_agents_and_ports_are_read_from_a_live_machine() -> None:
    domain = reading.read((_GOLDEN / "live.xml").read_text())
    assert [str(image.path) for image in domain.disks["vda"].chain if isinstance(image, FileImage)] == [
        "/images/b.qcow2",
        "/images/a.qcow2",
    ]
    assert domain.indexes["vda"] == ("3", "1")
    assert domain.nodes >= {"1", "2", "3"}
    assert domain.mirrors["vda"] == reading.Mirror(base=layer("a.qcow2"), ready=True)
    assert domain.aliases == {"vda": "virtio-disk0", "sda": "sata0-0-0", "52:54:00:11:22:33": "net0"}
    assert domain.cd_roms["sda"].tray_open
    assert (domain.graphics.vnc, domain.graphics.spice) == (5900, None)
    assert domain.agent == "connected"
