"""Machines on a real Ceph: disks of RBD images, and a key that nobody gets to see."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
from hypervisor_ground import GIB, Ground, seen, top_of
from hypervisor_suite import swept

from ceph import Cluster, ceph_pool, shared_ceph
from libvirt_host import LibvirtHost
from stratal.compute.domain import Bus, CephCluster, Disk, RbdImage
from stratal.compute.drivers.libvirt import LibvirtHypervisor

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("ceph")]


@pytest.fixture
def hypervisor(libvirt_host: LibvirtHost) -> Generator[LibvirtHypervisor]:
    driver = libvirt_host.driver("one")
    with swept(driver):
        yield driver
    driver.close()


def rbd(cluster: Cluster, *arguments: str) -> None:
    subprocess.run(["rbd", "--no-progress", "-c", str(cluster.conf), *arguments], check=True)


def test_a_machine_runs_on_rbd_and_stands_still_for_its_snapshots(
    hypervisor: LibvirtHypervisor,
    libvirt_host: LibvirtHost,
    shared_ceph: Cluster,
    ceph_pool: str,
    tmp_path: Path,
) -> None:
    # Without the line that names the keyring, so that QEMU has no other way to the key than libvirt.
    conf = tmp_path / "ceph.conf"
    lines = shared_ceph.conf.read_text().splitlines()
    conf.write_text("\n".join(line for line in lines if not line.startswith("keyring")) + "\n")
    cluster = CephCluster(conf=conf, user="admin", keyring=shared_ceph.keyring)
    rbd(shared_ceph, "create", f"{ceph_pool}/disk", "--size", "1G")
    image = RbdImage(cluster=cluster, pool=ceph_pool, image="disk")
    ground = Ground(folder=tmp_path, real=True)
    definition = ground.definition(Disk(target="vda", bus=Bus.VIRTIO, chain=(image,)), ground.disk("vdb"))
    machine = definition.machine

    hypervisor.start(definition)
    assert seen(hypervisor, machine).disks["vda"].chain == (image,)
    key = next(line for line in shared_ceph.keyring.read_text().splitlines() if "key" in line).split()[-1]
    command_line = Path(f"/proc/{libvirt_host.qemu_pid(machine)}/cmdline").read_text()
    assert "disk" in command_line
    assert key not in command_line

    with hypervisor.hold(machine):
        hypervisor.snapshot(machine, {"vdb": ground.overlay(top_of(hypervisor, machine, "vdb"))})
        rbd(shared_ceph, "snap", "create", f"{ceph_pool}/disk@one")
    then = RbdImage(cluster=cluster, pool=ceph_pool, image="disk", snapshot="one")
    hypervisor.attach_disk(machine, Disk(target="vdc", bus=Bus.VIRTIO, chain=(then,), read_only=True))
    assert seen(hypervisor, machine).disks["vdc"].chain == (then,)
    hypervisor.resize_disk(machine, "vda", size_bytes=2 * GIB)
    assert hypervisor.disk_sizes(machine)["vda"] == 2 * GIB
