"""`python -m bench [NAME...] [--write FILE] [--json FILE]`: run benchmarks and show what came out."""

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from rich.console import Console

from bench import machine, results
from bench.machine import Machine
from bench.options import Options
from bench.results import Report

#: a module of this package for each, with SUMMARY and run(options)
BENCHMARKS = ("api", "query", "planner", "layers", "disks", "machines", "evs")


def main() -> int:
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 180)
    progress = Console(stderr=True)
    here = machine.describe(_commit())
    console.print(_heading(here), markup=False)
    reports = [_run(name, arguments, console, progress) for name in arguments.names or BENCHMARKS]
    if arguments.write:
        arguments.write.parent.mkdir(parents=True, exist_ok=True)
        arguments.write.write_text(_page(here, reports, arguments))
    if arguments.json:
        arguments.json.write_bytes(results.as_json(asdict(here), reports))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks of Stratal")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all by default"
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the results as markdown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument("--rounds", type=int, default=5, help="how often each figure is taken (5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="for how long it is taken (4)")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(BENCHMARKS)):
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    return arguments


def _run(name: str, arguments: argparse.Namespace, console: Console, progress: Console) -> Report:
    module = import_module(f"bench.{name}")
    before = machine.load()
    with progress.status(name) as status:
        outcome = module.run(
            Options(
                rounds=arguments.rounds,
                seconds=arguments.seconds,
                progress=lambda doing: status.update(f"{name}: {doing}"),
                warn=lambda warning: progress.print(f"{name}: {warning}", markup=False),
            )
        )
    report = Report(
        benchmark=name,
        summary=module.SUMMARY,
        rows=outcome.rows,
        remarks=outcome.remarks,
        load_before=before,
        load_after=machine.load(),
    )
    results.print_table(console, report)
    return report


def _heading(here: Machine) -> str:
    return (
        f"{here.date}: {here.cpu}, {here.cores} cores; {here.system}, "
        f"Python {here.python}, SQLite {here.sqlite}; "
        f"a durable append takes {here.sync_milliseconds} ms; commit {here.commit}"
    )


def _page(here: Machine, reports: Sequence[Report], arguments: argparse.Namespace) -> str:
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    return "\n".join(
        [
            "# Benchmarks",
            "",
            "Written by the command below; do not edit. Client and server share the machine. Each figure is",
            f"the median of {arguments.rounds} rounds, in which subjects and baseline take turns.",
            "",
            f"    make bench ARGS={shlex.quote(shlex.join(sys.argv[1:]))}",
            "",
            f"or `{command}` in an environment that is set up. Measured {_heading(here)}.",
            "",
            "A ratio is that to the bare handler: the same Litestar and uvicorn in a process of their own,",
            "answering a constant. For a rate, more is better; for a time, less.",
            "",
            *(results.markdown(report) for report in reports),
        ]
    )


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    raise SystemExit(main())
