"""Writes docs/reliability.md from what a run of the crash suites said.

    .venv/bin/python -m pytest tests/crash --junitxml=crash.xml
    .venv/bin/python tools/reliability.py crash.xml

With STRATAL_ALL_CRASH_POINTS=1 the first command kills machines at every point, not at some. Of several
files, a later one counts where they tell of the same test.
"""

import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

_PAGE = Path(__file__).parents[1] / "docs/reliability.md"
_MARK = "<!-- from here on: written by tools/reliability.py -->\n"
_POINT = re.compile(r"\[(?:(\w+)-)?([a-z_0-9.]+)\.(before|after)(?:#(\d+))?(?:-(\w+))?\](?:@.*)?$")

#: what each module of tests/crash kills, in the page's order
_SUITES = {
    "test_crash_points": "The engine, with a kind that is made for it, on SQLite and PostgreSQL",
    "storage.test_storage_crashes": "Disks that are qcow2 files",
    "storage.test_storage_crashes_on_rbd": "Disks on Ceph RBD",
    "images.test_image_crashes": "Uploads of images, by a whole server",
    "network.test_network_crashes": "Networks on the Linux kernel",
    "compute.test_machine_crashes": "Machines on QEMU, their disks and networks",
    "compute.test_simulated_machine_crashes": "Machines that are simulated",
}


@dataclass
class Cell:
    """What came of the kills at one point."""

    passed: int = 0
    failed: int = 0

    def __str__(self) -> str:
        if self.failed:
            return f"**{self.failed} of {self.passed + self.failed} failed**"
        return "✓" if self.passed == 1 else f"✓ {self.passed}×" if self.passed else ""


@dataclass
class Suite:
    cells: dict[str, dict[str, Cell]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(Cell)))
    others: Cell = field(default_factory=Cell)


def main(files: list[str]) -> int:
    if not files:
        print(__doc__, file=sys.stderr)
        return 64
    results: dict[tuple[str, str], bool] = {}
    when = ""
    for file in files:
        root = ElementTree.parse(file).getroot()
        for suite in root.iter("testsuite"):
            when = max(when, suite.get("timestamp", ""))
        for case in root.iter("testcase"):
            module = (case.get("classname") or "").partition("tests.crash.")[2]
            if module and case.find("skipped") is None:
                bad = case.find("failure") is not None or case.find("error") is not None
                results[module, case.get("name") or ""] = not bad
    page = _PAGE.read_text().partition(_MARK)[0] + _MARK + _tables(_grouped(results), when)
    _PAGE.write_text(page)
    return 0


def _grouped(results: dict[tuple[str, str], bool]) -> dict[str, Suite]:
    suites: dict[str, Suite] = defaultdict(Suite)
    for (module, name), good in sorted(results.items()):
        suite = suites[module]
        match = _POINT.search(name)
        cell = suite.others if match is None else suite.cells[match[2]][match[3]]
        if good:
            cell.passed += 1
        else:
            cell.failed += 1
    return suites


def _tables(suites: dict[str, Suite], when: str) -> str:
    lines = ["", f"Run of {datetime.fromisoformat(when):%Y-%m-%d}.", ""]
    total = Cell()
    for module in [*_SUITES, *(module for module in suites if module not in _SUITES)]:
        suite = suites.get(module)
        if suite is None:
            continue
        if not suite.cells:
            lines += [f"- `tests/crash/{module.replace('.', '/')}.py`: {_count(suite.others)}"]
            total.passed, total.failed = (
                total.passed + suite.others.passed,
                total.failed + suite.others.failed,
            )
            continue
        lines += ["", f"## {_SUITES.get(module, module)}", ""]
        lines += [f"`tests/crash/{module.replace('.', '/')}.py`", ""]
        lines += ["| side effect | killed before | killed after |", "| --- | --- | --- |"]
        for effect, cells in suite.cells.items():
            lines.append(f"| `{effect}` | {cells['before']} | {cells['after']} |")
            for cell in cells.values():
                total.passed, total.failed = total.passed + cell.passed, total.failed + cell.failed
        if suite.others.passed or suite.others.failed:
            lines += ["", f"Other tests of this suite: {_count(suite.others)}."]
            total.passed += suite.others.passed
            total.failed += suite.others.failed
        lines.append("")
    lines += ["", f"All in all: {_count(total)}.", ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def _count(cell: Cell) -> str:
    return f"{cell.passed} passed, {cell.failed} failed"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
