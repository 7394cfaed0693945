"""Devices that carry guests' frames are none by which guests reach the host. Called for each device."""

from pathlib import Path
from typing import Final

from stratal.kernel.effects import Effect

QUIET = Effect("linux.quiet")

_SETTINGS: Final = (
    # no link-local address, no listening to routers that a guest may pretend to be
    ("ipv6", "disable_ipv6", "1"),
    # no answer to questions for any of the host's addresses
    ("ipv4", "arp_ignore", "8"),
    ("ipv4", "rp_filter", "1"),
)


def keep_quiet(device: str) -> None:
    """Let the host neither speak nor listen on a device. Idempotent."""
    loud = [(file, value) for file, value in _settings(device) if _read(file) not in (value, None)]
    if not loud:
        return
    with QUIET:
        for file, value in loud:
            try:
                file.write_text(value)
            except OSError:  # a container whose /proc/sys is read-only: its configuration is somebody else's
                continue


def _settings(device: str) -> list[tuple[Path, str]]:
    root = Path("/proc/sys/net")
    return [(root / family / "conf" / device / name, value) for family, name, value in _SETTINGS]


def _read(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except OSError:  # a kernel without IPv6, a device that has just gone
        return None
