"""What a benchmark gives back, and how that is shown: as a table in a terminal, as markdown, as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import msgspec
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a figure is wanted to reach."""

    value: float
    #: a rate is to be at least its target, a time at most
    at_least: bool

    def is_met_by(self, measured: float) -> bool:
        return measured >= self.value if self.at_least else measured <= self.value


def at_least(value: float) -> Target:
    return Target(value=value, at_least=True)


def under(value: float) -> Target:
    return Target(value=value, at_least=False)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure."""

    #: what was done, such as `PATCH, 16 connections`
    name: str
    #: what it was done to, such as `sqlite`
    subject: str
    measured: float
    unit: str
    target: Target | None = None
    #: measured / baseline; the baseline's own row has none
    ratio: float | None = None
    #: what the figure is made of, or what else was seen
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "pass" if self.target.is_met_by(self.measured) else "miss"


@dataclass(frozen=True, kw_only=True)
class Report:
    """The rows of one benchmark, and what there is to know about how they came to be."""

    benchmark: str
    summary: str
    rows: Sequence[Row]
    remarks: Sequence[str] = ()
    load_before: float
    load_after: float


_HEADINGS = ("figure", "of", "target", "measured", "ratio", "", "note")


def print_table(console: Console, report: Report) -> None:
    table = Table(title=f"{report.benchmark}: {report.summary}", title_justify="left", show_edge=False)
    for heading, justify in zip(
        _HEADINGS, ("left", "left", "right", "right", "right", "left", "left"), strict=True
    ):
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in report.rows:
        colour = {"pass": "green", "miss": "red"}.get(row.verdict, "")
        cells = list(_cells(row))
        cells[5] = f"[{colour}]{cells[5]}[/]" if colour else cells[5]
        table.add_row(*cells)
    console.print(table)
    for remark in report.remarks:
        console.print(f"  {remark}", markup=False)
    console.print(f"  load average {report.load_before:.1f} before, {report.load_after:.1f} after\n")


def markdown(report: Report) -> str:
    lines = [
        f"## {report.benchmark}",
        "",
        report.summary,
        "",
        _line(("figure", "of", "target", "measured", "ratio", "verdict", "note")),
        _line(("---", "---", "--:", "--:", "--:", "---", "---")),
        *(_line(_cells(row)) for row in report.rows),
        "",
        f"Load average {report.load_before:.1f} before, {report.load_after:.1f} after.",
        *(f"\n{remark}" for remark in report.remarks),
        "",
    ]
    return "\n".join(lines)


def as_json(machine: object, reports: Iterable[Report]) -> bytes:
    document = {
        "machine": machine,
        "benchmarks": [
            {**asdict(report), "rows": [{**asdict(row), "verdict": row.verdict} for row in report.rows]}
            for report in reports
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _cells(row: Row) -> tuple[str, ...]:
    target = ""
    if row.target is not None:
        target = f"{'≥' if row.target.at_least else '<'} {_number(row.target.value)} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return row.name, row.subject, target, f"{_number(row.measured)} {row.unit}", ratio, row.verdict, row.note


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
