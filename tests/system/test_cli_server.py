"""A server run by `stratal up`, its backups, and what the doctor says of it."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from command_line import CommandLine
from running_server import CHEAP_HASHING, RunningServer, running_server
from stratal.cli.backup import back_up, restore
from stratal.cli.doctor import Level, examine
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.settings import Settings
from stratal.migrations import upgrade

pytestmark = pytest.mark.xdist_group("command line of the server")


@contextmanager
def _up(home: Path, config: Path) -> Iterator[str]:
    """`stratal up --config`, until it listens; yields its address."""
    command = [sys.executable, "-m", "stratal", "up", "--config", str(config), "--simulate"]
    environment = CommandLine(home).environment | CHEAP_HASHING
    environment |= {"STRATAL_METRICS_LISTEN": "", "STRATAL_SERVER__PORT": "0"}
    with (home / "log").open("w") as log, (home / "out").open("w") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=environment)
    try:
        deadline = time.monotonic() + 60
        while not (match := re.search(r'"address": ?"([^"]+)"', (home / "log").read_text())):
            assert process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield match[1]
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0


def test_up_writes_its_settings_once_and_serves_by_them(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path)
    config = tmp_path / "etc" / "stratal.toml"
    cli("config", "--write", "--file", str(config), "--data-directory", str(tmp_path / "data"))
    with _up(tmp_path, config) as url:
        password = re.search(r"^\s+admin\s+(\S+)$", (tmp_path / "out").read_text(), re.MULTILINE)
        assert password is not None
        cli("login", url, STRATAL_PASSWORD=password[1])
        cli("project", "create", "kept", "--wait")
    assert (tmp_path / "data" / "stratal.db").is_file()
    with _up(tmp_path, config) as url:
        cli("login", url, STRATAL_PASSWORD=password[1])
        assert cli.json("project", "show", "kept")["metadata"]["state"]["state"] == "active"


def test_a_backup_of_a_running_server_brings_its_resources_back(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path, STRATAL_WAIT="1")
    directory = ("--data-directory", str(tmp_path / "server" / "data"))
    with running_server(tmp_path / "server", environment={"STRATAL_SIMULATE": "true"}) as server:
        cli("login", server.url, STRATAL_PASSWORD=server.password)
        cli("project", "create", "before")
        cli("backup-config", str(tmp_path / "copy.db"), *directory)
        cli("project", "create", "after")
        cli("restore-config", str(tmp_path / "copy.db"), "--yes", *directory, code=1)
    cli("restore-config", str(tmp_path / "copy.db"), "--yes", *directory)
    with running_server(tmp_path / "server", environment={"STRATAL_SIMULATE": "true"}) as server:
        # the token is in the database, too
        cli("project", "show", "before", STRATAL_URL=server.url, STRATAL_TOKEN=_token(tmp_path))
        cli("project", "show", "after", code=4, STRATAL_URL=server.url, STRATAL_TOKEN=_token(tmp_path))


def _token(home: Path) -> str:
    return json.loads(next(home.rglob("contexts.json")).read_text())["contexts"]["default"]["token"]


def test_the_doctor_knows_a_running_server_by_its_answer(tmp_path: Path) -> None:
    with running_server(tmp_path, environment={"STRATAL_SIMULATE": "true"}) as server:
        findings = _findings(server)
        assert "a Stratal server answers" in findings["API port"]
        assert findings["schema"] == "that of this release"
        said = CommandLine(tmp_path)("doctor", "--simulate", "--data-directory", str(tmp_path / "data"))
        assert "ok" in said.out


def _findings(server: RunningServer) -> dict[str, str]:
    port = int(server.url.split(":")[2].split("/")[0])
    overrides: dict[str, object] = {
        "data_directory": server.directory / "data",
        "simulate": True,
        "metrics_listen": "",
        "server.port": port,
    }
    found = list(examine(None, overrides))
    assert [each for each in found if each.level is Level.FAILED] == []
    return {each.subject: each.message for each in found}


def test_a_postgresql_database_is_backed_up_and_taken_back(postgres_url: str, tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_directory": tmp_path, "database_url": postgres_url})
    engine = create_engine(postgres_url)
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE told (word TEXT)"))
        connection.execute(text("INSERT INTO told VALUES ('before')"))
    assert back_up(settings, tmp_path / "copy.dump") > 0
    assert (tmp_path / "copy.dump").stat().st_mode & 0o077 == 0
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO told VALUES ('after')"))
    engine.dispose()
    busy = create_engine(postgres_url, connect_args={"application_name": "stratal"})
    with busy.connect() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(Conflict, match="stop them first"):
            restore(settings, tmp_path / "copy.dump")
    busy.dispose()
    restore(settings, tmp_path / "copy.dump")
    with engine.connect() as connection:
        assert [word for (word,) in connection.execute(text("SELECT word FROM told"))] == ["before"]
    engine.dispose()
    (tmp_path / "bad").write_bytes(b"SQLite format 3\0")
    with pytest.raises(Invalid, match="no backup of a PostgreSQL database"):
        restore(settings, tmp_path / "bad")


def test_the_doctor_compares_its_clock_with_that_of_postgresql(postgres_url: str, tmp_path: Path) -> None:
    overrides: dict[str, object] = {
        "data_directory": tmp_path / "data",
        "database_url": postgres_url,
        "simulate": True,
        "metrics_listen": "",
        "server.port": 0,
    }
    found = {each.subject: each for each in examine(None, overrides)}
    assert found["database"].level is Level.OK
    assert "its clock" in found["database"].message
    assert "first start" in found["schema"].message
