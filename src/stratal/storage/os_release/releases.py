"""The releases that every installation knows. Called by the service, which keeps the rows in step.

Memory is each maker's stated minimum for a server without desktop, or with one where there is no other.
"""

from dataclasses import dataclass
from typing import Final

from stratal.storage.os_release.model import Bios, OsType


@dataclass(frozen=True)
class Release:
    """One release. The fields are those of the same names in the spec."""

    name: str
    type: OsType
    distribution: str
    version: str
    min_memory_mb: int
    arch: str = "x86_64"
    default_bios: Bios = Bios.UEFI
    default_disk_bus: str = "virtio"
    default_nic_model: str = "virtio"


def _linux(name: str, distribution: str, version: str, memory: int, bios: Bios = Bios.UEFI) -> Release:
    return Release(name, OsType.LINUX, distribution, version, memory, default_bios=bios)


def _windows(name: str, distribution: str, version: str, memory: int, bios: Bios = Bios.UEFI) -> Release:
    # without drivers added to its installer, Windows sees neither virtio disks nor virtio NICs
    return Release(
        name,
        OsType.WINDOWS,
        distribution,
        version,
        memory,
        default_bios=bios,
        default_disk_bus="sata",
        default_nic_model="e1000",
    )


RELEASES: Final = (
    _linux("Debian 11", "debian", "11", 512),
    _linux("Debian 12", "debian", "12", 512),
    _linux("Debian 13", "debian", "13", 512),
    Release("Debian 12 (Arm)", OsType.LINUX, "debian", "12", 512, arch="aarch64"),
    _linux("Ubuntu 20.04 LTS", "ubuntu", "20.04", 1024),
    _linux("Ubuntu 22.04 LTS", "ubuntu", "22.04", 1024),
    _linux("Ubuntu 24.04 LTS", "ubuntu", "24.04", 1024),
    Release("Ubuntu 24.04 LTS (Arm)", OsType.LINUX, "ubuntu", "24.04", 1024, arch="aarch64"),
    _linux("Red Hat Enterprise Linux 8", "rhel", "8", 1536),
    _linux("Red Hat Enterprise Linux 9", "rhel", "9", 1536),
    _linux("CentOS 7", "centos", "7", 1024, Bios.BIOS),
    _linux("CentOS Stream 9", "centos-stream", "9", 1536),
    _linux("AlmaLinux 9", "almalinux", "9", 1536),
    _linux("Rocky Linux 9", "rocky", "9", 1536),
    _linux("Oracle Linux 9", "oracle", "9", 1536),
    _linux("Fedora 41", "fedora", "41", 2048),
    _linux("openEuler 22.03 LTS", "openeuler", "22.03", 2048),
    Release("openEuler 22.03 LTS (Arm)", OsType.LINUX, "openeuler", "22.03", 2048, arch="aarch64"),
    _linux("openEuler 24.03 LTS", "openeuler", "24.03", 2048),
    _linux("Kylin V10", "kylin", "V10", 2048),
    _linux("SUSE Linux Enterprise Server 15", "sles", "15", 1024),
    _linux("openSUSE Leap 15", "opensuse", "15", 1024),
    _linux("Alpine Linux 3", "alpine", "3", 128, Bios.BIOS),
    _windows("Windows Server 2012 R2", "windows-server", "2012-r2", 512, Bios.BIOS),
    _windows("Windows Server 2016", "windows-server", "2016", 2048),
    _windows("Windows Server 2019", "windows-server", "2019", 2048),
    _windows("Windows Server 2022", "windows-server", "2022", 2048),
    _windows("Windows Server 2025", "windows-server", "2025", 2048),
    _windows("Windows 10", "windows", "10", 2048),
    _windows("Windows 11", "windows", "11", 4096),
    _linux("Other Linux", "linux", "other", 512, Bios.BIOS),
    Release("FreeBSD 14", OsType.OTHER, "freebsd", "14", 512),
    Release("Other", OsType.OTHER, "other", "other", 256, "x86_64", Bios.BIOS, "ide", "e1000"),
)
