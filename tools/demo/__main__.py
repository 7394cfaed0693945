"""The story of one machine on a data centre of your own: `make demo`.

Starts a real server on an empty directory and tells the story through its APIs, step by step: what was
asked, what came back, how long it took. Every step proves what it says, and the first proof that fails ends
the demo with status 1. The server runs on at the end, unless `--stop` is given.

A new capability adds its chapter to STORY.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from clouds import other_clients
from installation import audit, first_start, people_and_places
from machines import (
    boot,
    branch,
    break_and_roll_back,
    crash,
    delete_everything,
    live_snapshot,
    template,
)
from rich.table import Table
from stage import ROOT, ProofFailed, Stage, console

STORY: tuple[tuple[str, Callable[[Stage], None]], ...] = (
    ("Start on an empty directory", first_start),
    ("People and places", people_and_places),
    ("A machine boots", boot),
    ("A snapshot of the running machine", live_snapshot),
    ("It breaks, and goes back", break_and_roll_back),
    ("Branches: two clones of the snapshot", branch),
    ("A template, and a machine of it", template),
    ("The same disk for Huawei's SDK and for openstack", other_clients),
    ("kill -9 in a snapshot, and in a merge", crash),
    ("Delete everything", delete_everything),
    ("Who did what", audit),
)


def main() -> int:
    arguments = _arguments()
    stage = Stage(arguments.directory.resolve(), arguments.port, simulated=arguments.simulate)
    summary = Table("step", "seconds", title="What you saw")
    try:
        for number, (title, step) in enumerate(STORY, start=1):
            console.print(f"\n[bold]{number}. {title}[/bold]")
            started = time.perf_counter()
            step(stage)
            summary.add_row(title, f"{time.perf_counter() - started:.1f}")
    except (ProofFailed, OSError) as failure:
        console.print(f"\n[red]✗ {failure}[/red]\nThe server's log is {stage.directory / 'log'}")
        stage.end_all()
        return 1
    console.print()
    console.print(summary)
    if arguments.stop:
        stage.end_all()
    else:
        _what_next(stage)
    return 0


def _what_next(stage: Stage) -> None:
    console.print(f"\nThe server is still there: {stage.address}, user admin, password {stage.password}")
    console.print(f"    .venv/bin/stratal login {stage.address}")
    console.print("    .venv/bin/stratal vm create mine --memory 512 && .venv/bin/stratal vm list")
    console.print(f"    kill {(stage.directory / 'pid').read_text()}    # ends it; another demo does so too")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--simulate", action="store_true", help="without QEMU: machines are simulated")
    parser.add_argument("--stop", action="store_true", help="end the server at the end")
    parser.add_argument("--port", type=int, default=6112, help="where the server listens (6112)")
    parser.add_argument("--directory", type=Path, default=ROOT / "var/demo", help="emptied first (var/demo)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
