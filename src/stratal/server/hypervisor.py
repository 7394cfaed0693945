"""The hypervisor of this server, and how its guests reach storage. Called by the composition root."""

import os
from configparser import ConfigParser, Error
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path

from stratal.compute.domain import CephCluster
from stratal.compute.drivers.contract import Hypervisor
from stratal.compute.drivers.libvirt import LibvirtHypervisor
from stratal.compute.drivers.simulated import SimulatedHypervisor
from stratal.kernel.settings import Settings


def hypervisor(settings: Settings, stack: ExitStack) -> Hypervisor:
    """QEMU under libvirt, or with --simulate machines in memory. Connects when it is first used."""
    if settings.simulate:
        return SimulatedHypervisor()
    driver = LibvirtHypervisor(
        settings.compute.libvirt_directory or short(settings.data_directory / "libvirt"),
        owner=owner(settings),
        uri=settings.compute.libvirt_uri or None,
    )
    stack.callback(driver.close)
    return driver


def owner(settings: Settings) -> str:
    """The mark of this installation on its machines: the same after every restart."""
    text = f"{os.path.realpath(settings.data_directory)} {settings.node_name}"
    return blake2b(text.encode(), digest_size=8).hexdigest()


def ceph_cluster(settings: Settings) -> CephCluster | None:
    """How QEMU reaches the Ceph cluster of the settings; None where there is no such configuration."""
    conf, user = settings.storage.ceph_conf, settings.storage.ceph_user
    if settings.simulate or not conf.is_file():
        return None
    keyring = _keyring(conf, user)
    return CephCluster(conf=conf, user=user, keyring=keyring if keyring.is_file() else None)


def _keyring(conf: Path, user: str) -> Path:
    """The file that Ceph's own clients would take the key from."""
    parser = ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(conf.read_text())
    except (OSError, Error):
        parser = ConfigParser()
    for section in (f"client.{user}", "client", "global"):
        if parser.has_option(section, "keyring"):
            named = parser.get(section, "keyring").split(",")[0].strip()
            return Path(named.replace("$name", f"client.{user}").replace("$cluster", "ceph"))
    return Path(f"/etc/ceph/ceph.client.{user}.keyring")


def short(directory: Path) -> Path:
    """The directory, or where its path is too long for the sockets in it, a short one that stands for it."""
    if len(os.fsencode(directory)) <= _LONGEST:
        return directory
    return Path("/run/stratal") / blake2b(os.fsencode(directory), digest_size=8).hexdigest()


_LONGEST = 50
