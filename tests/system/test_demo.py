"""The demo, as `make demo` runs it: it proves all that it says by itself, and leaves nothing behind."""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from machine_server import why_not

pytestmark = pytest.mark.xdist_group("virtual machines")

_DEMO = Path(__file__).parents[2] / "tools/demo"
_CHAPTERS = 11


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Sockets lie in it, and their paths are short; dnsmasq reads in it as another user.
    with tempfile.TemporaryDirectory(prefix="demo-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        command = [sys.executable, str(_DEMO), "--stop", "--directory", f"{directory}/d", "--port", str(port)]
        done = subprocess.run(
            [*command, *arguments], capture_output=True, text=True, timeout=500, check=False
        )
        for process in Path("/proc").iterdir():
            if process.name.isdigit():
                try:
                    words = (process / "cmdline").read_bytes()
                except OSError:
                    continue
                assert f"{directory}/".encode() not in words, words
    return done


def test_the_story_is_told_to_its_end_with_simulated_machines() -> None:
    told = _run("--simulate")
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.count("✓") > _CHAPTERS
    assert f"\n{_CHAPTERS}. " in told.stdout


def test_the_story_is_told_to_its_end_with_real_machines() -> None:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    told = _run()
    assert told.returncode == 0, told.stdout + told.stderr
    assert "from inside web: all 8 MiB are as they were in the snapshot" in told.stdout
    assert "the guest never noticed" in told.stdout


def test_a_port_that_is_taken_ends_the_demo_with_a_word_and_a_status() -> None:
    with socket.socket() as taken, tempfile.TemporaryDirectory(prefix="demo-", dir="/tmp") as directory:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, str(_DEMO), "--simulate", "--stop", "--directory", f"{directory}/d"]
        command += ["--port", str(taken.getsockname()[1])]
        told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 1
    assert "✗" in told.stdout
