"""Databases for tests, and the rule that in CI nothing may be skipped."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from _pytest.nodeid import coerce_node_id
from hypothesis import HealthCheck, settings

import postgres
import suite_summary
from thoroughness import QUICK, examples

#: Set in CI, where everything is installed: there a skipped test is one that nobody runs.
NO_SKIPS = os.environ.get("STRATAL_NO_SKIPS") == "1"

# For properties that say nothing of these themselves. How long one takes depends on who else is at work here.
usual = settings()
settings.register_profile(
    "stratal",
    parent=usual,
    max_examples=examples(usual.max_examples),
    deadline=None,
    suppress_health_check=[*usual.suppress_health_check, HealthCheck.too_slow],
)
settings.load_profile("stratal")


@pytest.fixture(scope="session")
def postgres_server() -> Generator[postgres.Server]:
    """A PostgreSQL server of this test process, started when the first test asks for it."""
    try:
        with postgres.running() as server:
            yield server
    except postgres.PostgresNotInstalled as error:
        pytest.skip(str(error))


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Generator[str]:
    """A new empty database on PostgreSQL, as a SQLAlchemy URL."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite database that does not exist yet, as a SQLAlchemy URL."""
    return f"sqlite:///{tmp_path}/stratal.db"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Runs the test twice: on a new SQLite and on a new PostgreSQL database."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def _needs_postgres(item: pytest.Item) -> bool:
    """Whether a test asks for a PostgreSQL, by the name of a fixture or by a parameter that names one."""
    call = getattr(item, "callspec", None)
    parameters = [] if call is None else call.params.values()
    return any("postgres" in name for name in getattr(item, "fixturenames", ())) or any(
        value in ("postgres", "on_postgres") for value in parameters if isinstance(value, str)
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if QUICK:
        config.hook.pytest_deselected(items=[item for item in items if _needs_postgres(item)])
        items[:] = [item for item in items if not _needs_postgres(item)]
    if hasattr(config, "workerinput") and config.getoption("loadgroup", default=False):
        _keep_groups_together(items)


def _keep_groups_together(items: list[pytest.Item]) -> None:
    """Keep the tests of an `xdist_group` on one worker.

    pytest-xdist 3.8 tells groups by a suffix of the node id, which it writes to where pytest 9.1 kept it;
    pytest 9.2 keeps it elsewhere, so that the marks were without effect and each worker made the servers of
    each group. To be deleted with the next release of pytest-xdist; until then a suffix twice does no harm.
    """
    for item in items:
        mark = item.get_closest_marker("xdist_group")
        if mark is not None:
            item._id = coerce_node_id(f"{item.nodeid}@{mark.args[0]}")  # pyright: ignore


def _skips(config: pytest.Config) -> list[str]:
    """Where and why something was skipped, each once however many workers say so; empty inside a worker."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return []
    # A skip's longrepr is its file, its line and its reason.
    return sorted({f"{report.nodeid}: {report.longrepr[2]}" for report in reporter.stats.get("skipped", [])})


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if NO_SKIPS and exitstatus == pytest.ExitCode.OK and _skips(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    suite_summary.print_to(terminalreporter)
    if NO_SKIPS and (skips := _skips(config)):
        terminalreporter.section("skipped, which STRATAL_NO_SKIPS=1 forbids", red=True)
        for skip in skips:
            terminalreporter.line(f"FAILED {skip}", red=True)
