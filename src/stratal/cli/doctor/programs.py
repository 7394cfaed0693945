"""What runs guests, disks and networks: KVM, QEMU, libvirt, dnsmasq, Ceph."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from stratal.cli.doctor.finding import Finding
from stratal.kernel.settings import Settings

_SECONDS = 10.0
_LEAST_QEMU = (7, 0)
_VERSION = re.compile(r"(\d+)\.(\d+)")
_LIBVIRT_DAEMONS = ("virtqemud", "libvirtd")
_SBIN = "/usr/sbin:/sbin:/usr/local/sbin"
_CAP_NET_ADMIN = 12


def examine(settings: Settings) -> Iterator[Finding]:
    yield _qemu("qemu-system-x86_64", "machines", "qemu-system-x86")
    yield _qemu("qemu-img", "disk images", "qemu-utils")
    yield _kvm()
    yield _uefi()
    yield _libvirt()
    yield _networks()
    yield from _ceph(settings)


def _qemu(program: str, subject: str, package: str) -> Finding:
    remedy = f"Install it: apt-get install {package}"
    found = shutil.which(program)
    if found is None:
        return Finding.bad(subject, f"there is no {program}", remedy)
    text = _output(found, "--version")
    match = _VERSION.search(text)
    if match is None:
        return Finding.bad(subject, f"{found} does not run", remedy)
    version = (int(match[1]), int(match[2]))
    words = f"{program} {match[0]}"
    if version < _LEAST_QEMU:
        return Finding.bad(subject, words, "QEMU 7.0 or newer is needed, as Debian 12 has it.")
    return Finding.good(subject, words)


def _kvm() -> Finding:
    from stratal.server import host

    if shutil.which("qemu-system-x86_64") is None:
        return Finding.poor("KVM", "cannot be tried without QEMU", "Install QEMU first.")
    reason = host.why_not_kvm()
    if not reason:
        return Finding.good("KVM", "a guest ran")
    if "may not be opened" in reason:
        remedy = f"Add this user to the group of /dev/kvm: usermod -aG kvm {os.environ.get('USER', 'USER')}"
    elif not _virtualises():
        remedy = "Switch virtualisation on in the firmware; in a virtual machine: nested virtualisation."
    else:
        remedy = "See whether the module kvm_intel or kvm_amd is loaded: lsmod, dmesg"
    return Finding.poor("KVM", f"{reason}: processors are emulated, which is slow", remedy)


def _virtualises() -> bool:
    try:
        return bool(re.search(r"\b(vmx|svm)\b", Path("/proc/cpuinfo").read_text(encoding="utf-8")))
    except OSError:
        return False


def _uefi() -> Finding:
    from stratal.server import host

    if host.has_uefi():
        return Finding.good("UEFI", "firmware is there")
    return Finding.poor("UEFI", "there is no firmware: guests boot by BIOS only", "apt-get install ovmf")


def _libvirt() -> Finding:
    path = f"{os.environ.get('PATH', os.defpath)}:{_SBIN}"
    daemon = next((name for name in _LIBVIRT_DAEMONS if shutil.which(name, path=path)), None)
    if importlib.util.find_spec("libvirt") is None:
        remedy = "apt-get install python3-libvirt; the virtual environment must see Debian's packages."
        return Finding.bad("libvirt", "its bindings for Python are missing", remedy)
    if daemon is None:
        remedy = "apt-get install libvirt-daemon libvirt-daemon-driver-qemu"
        return Finding.bad("libvirt", "there is no daemon of it", remedy)
    return Finding.good("libvirt", f"{daemon} and the bindings are there")


def _networks() -> Finding:
    missing: list[str] = []
    if shutil.which("dnsmasq", path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}") is None:
        missing.append("dnsmasq (apt-get install dnsmasq-base)")
    if importlib.util.find_spec("pyroute2") is None:
        missing.append("pyroute2")
    if not Path("/dev/net/tun").exists():
        missing.append("/dev/net/tun (modprobe tun)")
    if missing:
        return Finding.poor("networks", f"missing: {', '.join(missing)}", "Machines have no network without.")
    if not _may_change_networks():
        remedy = "Run it as root, or with AmbientCapabilities=CAP_NET_ADMIN in its unit."
        return Finding.poor("networks", "this user may not change the host's networks", remedy)
    return Finding.good("networks", "bridges, taps and dnsmasq can be had")


def _may_change_networks() -> bool:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return os.geteuid() == 0
    match = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(match and int(match[1], 16) >> _CAP_NET_ADMIN & 1)


def _ceph(settings: Settings) -> Iterator[Finding]:
    conf = settings.storage.ceph_conf
    if not conf.is_file():
        return  # who has no Ceph needs to know nothing of it
    if all(importlib.util.find_spec(name) for name in ("rados", "rbd")):
        yield Finding.good("Ceph", f"{conf} and the bindings are there")
    else:
        yield Finding.poor("Ceph", "its bindings are missing", "apt-get install python3-rados python3-rbd")


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
