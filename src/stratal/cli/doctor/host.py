"""The machine itself: system, processors, memory, limits, clock."""

import ctypes
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from stratal.cli.client.sizes import shown_bytes
from stratal.cli.doctor.finding import Finding

_LEAST_MEMORY = 2 * 2**30
_LEAST_FILES = 4096
_RELEASED = 1_735_689_600  # 2025-01-01: whatever is earlier is a clock that was never set

_ADJTIMEX_BYTES = 256
"""More than any `struct timex`; with all zeros it asks only."""

_TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""


def examine() -> Iterator[Finding]:
    yield _system()
    yield _memory()
    yield _files()
    yield _clock()


def _system() -> Finding:
    words = (
        f"{_release()}, Linux {platform.release()}, {platform.machine()}, Python {platform.python_version()}"
    )
    if sys.platform != "linux":
        return Finding.bad("system", sys.platform, "Run Stratal on Linux.")
    if platform.machine() != "x86_64":
        return Finding.poor("system", words, "Machines are tried on x86_64 only.")
    return Finding.good("system", f"{words}, {os.cpu_count()} processors")


def _release() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "an unknown distribution"


def _memory() -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    words = f"{shown_bytes(total)}, of which {shown_bytes(_available() or free)} are available"
    if total < _LEAST_MEMORY:
        return Finding.poor("memory", words, "Guests need memory of their own: 4 GiB is a beginning.")
    return Finding.good("memory", words)


def _available() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _LEAST_FILES:
        remedy = f"Raise it (ulimit -n {_LEAST_FILES}, or LimitNOFILE= of the unit); the most is {hard}."
        return Finding.poor("open files", f"a process may have {soft}", remedy)
    return Finding.good("open files", f"a process may have {soft}")


def _clock() -> Finding:
    if time.time() < _RELEASED:
        now = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
        return Finding.bad("clock", f"it says {now}", "Set the clock: tokens and certificates go by it.")
    try:
        asked = ctypes.create_string_buffer(_ADJTIMEX_BYTES)
        state = ctypes.CDLL(None, use_errno=True).adjtimex(asked)
    except (OSError, AttributeError):
        state = -1
    if state == _TIME_ERROR:
        remedy = "Install a time service, such as chrony or systemd-timesyncd. Several nodes need it."
        return Finding.poor("clock", "no time service keeps it right", remedy)
    if state < 0:
        return Finding.poor("clock", "whether it is kept right is not known", "See: timedatectl")
    return Finding.good("clock", "kept right by a time service")
