"""What a run of the tests says at its end: each suite, what came of its tests, and how long it took."""

from collections import Counter, defaultdict

import pytest

#: as pytest calls what came of a test
_OUTCOMES = ("passed", "failed", "error", "skipped")
_FEW = 3


def print_to(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a suite, unless there are hardly any tests."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    seconds: dict[str, float] = defaultdict(float)
    for outcome in _OUTCOMES:
        for report in terminalreporter.stats.get(outcome, ()):
            counts[_suite(report.nodeid)][outcome] += 1
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[_suite(report.nodeid)] += report.duration
    if sum(each.total() for each in counts.values()) <= _FEW:
        return
    terminalreporter.section("suites")
    width = max(map(len, counts))
    for suite in sorted(counts):
        found = counts[suite]
        told = ", ".join(f"{found[outcome]} {outcome}" for outcome in _OUTCOMES if found[outcome])
        terminalreporter.line(f"{suite:{width}}  {seconds[suite]:7.1f} s  {told}")


def _suite(nodeid: str) -> str:
    """tests/conformance/evs/test_volumes.py::test_x -> conformance/evs"""
    folders = nodeid.partition("::")[0].split("/")[:-1]
    return "/".join(folders[1:3]) or "."
