"""What no definition of a machine may hold."""

from dataclasses import replace
from pathlib import Path

import pytest

from stratal.compute.domain import (
    Bus,
    CdRom,
    CephCluster,
    CpuMode,
    CpuTopology,
    Disk,
    FileImage,
    Graphics,
    Limits,
    MachineDefinition,
    MachineId,
    Nic,
    RbdImage,
    rules,
)
from stratal.kernel.errors import Invalid

IMAGE = FileImage(path=Path("/images/a.qcow2"), format="qcow2")
DISK = Disk(target="vda", bus=Bus.VIRTIO, chain=(IMAGE,))
NIC = Nic(mac="52:54:00:11:22:33", tap="tap0")
GOOD = MachineDefinition(
    machine=MachineId("0b0e6a0c-8a54-4c0e-9d3e-5f6f0a1b2c3d"),
    name="good",
    memory_bytes=2**30,
    disks=(DISK,),
    nics=(NIC,),
)
CEPH = CephCluster(conf=Path("/etc/ceph/ceph.conf"), user="admin", keyring=None)
RBD = RbdImage(cluster=CEPH, pool="pool", image="image")


def with_image(image: FileImage | RbdImage) -> MachineDefinition:
    return replace(GOOD, disks=(replace(DISK, chain=(image,)),))


def with_disk(**changes: object) -> MachineDefinition:
    return replace(GOOD, disks=(replace(DISK, **changes),))  # pyright: ignore


BAD = {
    "a machine that is no UUID": (replace(GOOD, machine=MachineId("x")), "machine"),
    "a UUID in capitals": (replace(GOOD, machine=MachineId(GOOD.machine.upper())), "machine"),
    "no name": (replace(GOOD, name=""), "name"),
    "a name of two lines": (replace(GOOD, name="a\nb"), "name"),
    "a name with what XML can't hold": (replace(GOOD, name="a\x00"), "name"),
    "a name with half a character": (replace(GOOD, name="\ud800"), "name"),
    "half a MiB": (replace(GOOD, memory_bytes=2**19), "memory_bytes"),
    "no CPU": (replace(GOOD, cpu=CpuTopology(sockets=0)), "cpu"),
    "too many CPUs": (replace(GOOD, cpu=CpuTopology(sockets=256)), "cpu"),
    "no model": (replace(GOOD, cpu_mode=CpuMode.CUSTOM), "cpu_model"),
    "a zone that is a path": (replace(GOOD, clock="../../etc/passwd"), "clock"),
    "a relative path": (with_image(replace(IMAGE, path=Path("a.qcow2"))), "disks.vda"),
    "a path that climbs": (with_image(replace(IMAGE, path=Path("/images/../etc/shadow"))), "disks.vda"),
    "an unknown format": (with_image(replace(IMAGE, format="vmdk")), "disks.vda"),
    "a raw image with a backing": (
        with_disk(chain=(FileImage(path=Path("/a"), format="raw"), IMAGE)),
        "disks.vda",
    ),
    "no chain": (with_disk(chain=()), "disks.vda"),
    "a target of another bus": (with_disk(target="sda"), "disks.sda"),
    "a target that is none": (with_disk(target="vda1"), "disks.vda1"),
    "a serial with a quote": (with_disk(serial="a'b"), "disks.vda"),
    "a limit of nothing": (with_disk(limits=Limits(iops=0)), "disks.vda"),
    "options of RBD in a name": (with_image(replace(RBD, image="a:conf=/x")), "disks.vda"),
    "a pool that is a path": (with_image(replace(RBD, pool="a/b")), "disks.vda"),
    "two disks in one place": (replace(GOOD, disks=(DISK, DISK)), "disks"),
    "a drive where a disk is": (
        replace(
            GOOD,
            disks=(Disk(target="sda", bus=Bus.SCSI, chain=(IMAGE,)),),
            cd_roms=(CdRom(target="sda", bus=Bus.SATA),),
        ),
        "disks",
    ),
    "a virtio drive": (replace(GOOD, cd_roms=(CdRom(target="vdb", bus=Bus.VIRTIO),)), "cd_roms.vdb"),
    "a MAC address of many": (replace(GOOD, nics=(replace(NIC, mac="53:54:00:11:22:33"),)), "nics"),
    "two NICs of one address": (replace(GOOD, nics=(NIC, replace(NIC, tap="tap1"))), "nics"),
    "a tap with a path": (replace(GOOD, nics=(replace(NIC, tap="../x"),)), "nics.52:54:00:11:22:33"),
    "two first boot devices": (
        replace(GOOD, disks=(replace(DISK, boot_order=1),), nics=(replace(NIC, boot_order=1),)),
        "disks",
    ),
    "a password with a line break": (replace(GOOD, graphics=Graphics(password="a\nb")), "graphics.password"),
}


def test_a_sound_definition_passes() -> None:
    rules.check(GOOD)
    rules.check(with_image(RBD))


@pytest.mark.parametrize(("definition", "field"), BAD.values(), ids=BAD.keys())
def test_a_definition_is_refused_with_the_field_that_is_wrong(
    definition: MachineDefinition, field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        rules.check(definition)
    assert refusal.value.fields["field"] == field


def test_a_refusal_never_quotes_the_password() -> None:
    with pytest.raises(Invalid) as refusal:
        rules.check_password("secret\x00word")
    assert "secret" not in str(refusal.value)
