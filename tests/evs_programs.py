"""Programs of clients' own, each run in a process of its own: they write to the home directory, and warn."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_DIRECTORY = Path(__file__).parent / "evs_clients"


def run_program(name: str, home: Path, **variables: str) -> Any:
    """Run a program of `evs_clients` and return what it says, which is JSON."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": "",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, str(_DIRECTORY / f"{name}.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def openstack(home: Path, cloud_environment: dict[str, str], *arguments: str) -> Any:
    """Run the `openstack` command, and return what it says as JSON (None: nothing)."""
    program = Path(sys.executable).parent / "openstack"
    done = subprocess.run(
        [str(program), *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONWARNINGS": "ignore",
            **cloud_environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, (arguments, done.stderr[-4000:])
    return json.loads(done.stdout) if done.stdout.strip() else None
