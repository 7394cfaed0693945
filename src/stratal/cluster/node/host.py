"""Facts about the machine that this process runs on, read from /proc and /sys. Called by the reconciler.

What a machine does not tell (a container has no firmware, only root may read a serial number) is None.
"""

import platform
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_FIRMWARE = "sys/class/dmi/id"
_CPUS = "sys/devices/system/cpu"


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """One machine, as it describes itself. The fields are those of the same names in a node's status."""

    hostname: str | None
    system_uuid: str | None
    vendor: str | None
    model: str | None
    serial: str | None
    arch: str
    cpu_model: str | None
    #: logical CPUs
    cpu_num: int | None
    #: sockets
    physical_cpu_num: int | None
    #: MiB
    memory_mb: int | None
    boot_at: datetime | None
    iommu_enabled: bool
    #: whether there is more than one NUMA node
    numa_enabled: bool


def read_host(root: Path = Path("/")) -> HostFacts:
    """The facts of this machine; or, for tests, of the /proc and /sys below another root."""
    cpuinfo = _text(root / "proc/cpuinfo") or ""
    return HostFacts(
        hostname=_text(root / "proc/sys/kernel/hostname"),
        system_uuid=_text(root / _FIRMWARE / "product_uuid"),
        vendor=_text(root / _FIRMWARE / "sys_vendor"),
        model=_text(root / _FIRMWARE / "product_name"),
        serial=_text(root / _FIRMWARE / "product_serial"),
        arch=platform.machine(),
        cpu_model=_first(r"^model name\s*:\s*(.+)$", cpuinfo),
        cpu_num=len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE)) or None,
        physical_cpu_num=_sockets(root / _CPUS),
        memory_mb=_memory_mb(_text(root / "proc/meminfo") or ""),
        boot_at=_boot_at(_text(root / "proc/stat") or ""),
        iommu_enabled=_has_any(root / "sys/class/iommu", "*"),
        numa_enabled=len(list((root / "sys/devices/system/node").glob("node[0-9]*"))) > 1,
    )


def _sockets(cpus: Path) -> int | None:
    """Distinct packages. From /sys and not from cpuinfo, which has no `physical id` on Arm."""
    packages = {_text(file) for file in cpus.glob("cpu[0-9]*/topology/physical_package_id")}
    return len(packages - {None}) or None


def _memory_mb(meminfo: str) -> int | None:
    kib = _first(r"^MemTotal:\s*(\d+) kB$", meminfo)
    return None if kib is None else int(kib) // 1024


def _boot_at(stat: str) -> datetime | None:
    seconds = _first(r"^btime (\d+)$", stat)
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC)


def _first(pattern: str, text: str) -> str | None:
    found = re.search(pattern, text, re.MULTILINE)
    return None if found is None else found[1].strip()


def _has_any(directory: Path, pattern: str) -> bool:
    return next(iter(directory.glob(pattern)), None) is not None


def _text(file: Path) -> str | None:
    """The content without white space around it; None when there is none, or it may not be read."""
    try:
        # NUL: PostgreSQL cannot store one, and firmware strings are whatever the maker left there
        return file.read_text(errors="replace").replace("\x00", "").strip() or None
    except OSError:
        return None
