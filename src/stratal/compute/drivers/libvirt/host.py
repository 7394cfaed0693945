"""What the host can do: whether KVM works, which firmware is there. Part of `driver`."""

import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from stratal.compute.domain.writing import Platform
from stratal.compute.drivers.contract import Accelerator

_KVM = Path("/dev/kvm")
# What takes a tenth of a second where KVM works, and many where it is there and does not.
_PROBE_SECONDS = 3.0
_PROBE_EXIT = 33  # isa-debug-exit answers (value << 1) | 1
_FLOPPY_BYTES = 1440 * 2**10
# A boot sector: mov al, 16; out 0xf4, al; hlt; jump back to the hlt.
_PROBE_CODE = bytes((0xB0, 0x10, 0xE6, 0xF4, 0xF4, 0xEB, 0xFD))
_PROBE_SECTOR = _PROBE_CODE + bytes(510 - len(_PROBE_CODE)) + b"\x55\xaa"
_FIRMWARE = (
    (Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
    (Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")),
)


class HostProbe:
    """Finds out once, and remembers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kvm_reason: str | None = None

    def platform(self, owner: str, sockets: Path | None) -> Platform:
        accelerator, _ = self.accelerator()
        code, variables = firmware() or (None, None)
        return Platform(
            kvm=accelerator is Accelerator.KVM,
            owner=owner,
            uefi_code=code,
            uefi_variables=variables,
            sockets=sockets,
        )

    def accelerator(self) -> tuple[Accelerator, str]:
        """KVM, or TCG with the reason why."""
        with self._lock:
            if self._kvm_reason is None:
                self._kvm_reason = _why_not_kvm()
            reason = self._kvm_reason
        return (Accelerator.TCG, reason) if reason else (Accelerator.KVM, "")


def firmware() -> tuple[Path, Path] | None:
    """UEFI's code and the template of its variables."""
    return next((pair for pair in _FIRMWARE if all(path.is_file() for path in pair)), None)


def memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _environment() -> Mapping[str, str]:
    return {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)}


def _why_not_kvm() -> str:
    """Empty if a guest came through its firmware, which uses most of what processors have, to its boot sector
    in time. That the device opens proves nothing: it may be there and hang, or crawl."""
    if not _KVM.exists():
        return f"there is no {_KVM}"
    if not os.access(_KVM, os.R_OK | os.W_OK):
        return f"{_KVM} may not be opened"
    with tempfile.NamedTemporaryFile(prefix="stratal-kvm-") as file:
        file.write(_PROBE_SECTOR)
        file.truncate(_FLOPPY_BYTES)
        file.flush()
        command = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-machine", "pc", "-m", "32"]
        command += ["-nodefaults", "-no-user-config", "-display", "none"]
        command += ["-drive", f"file={file.name},format=raw,if=floppy", "-boot", "a"]
        command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]
        try:
            status = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                timeout=_PROBE_SECONDS,
                check=False,
            ).returncode
        except OSError as error:
            return f"qemu-system-x86_64 can't be started: {error.strerror}"
        except subprocess.TimeoutExpired:
            return f"a guest did not get through its firmware within {_PROBE_SECONDS:g} s"
    return "" if status == _PROBE_EXIT else "a guest did not get through its firmware"
