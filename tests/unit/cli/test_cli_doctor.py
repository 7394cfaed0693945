"""What `stratal doctor` finds, where something is wrong that can be made wrong."""

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stratal.cli.doctor import Finding, Level, examine

SIMULATED: dict[str, object] = {"simulate": True, "metrics_listen": "", "server.port": 0}


def _found(tmp_path: Path, **more: Any) -> dict[str, Finding]:
    overrides = {**SIMULATED, "data_directory": tmp_path / "data", **more}
    return {each.subject: each for each in examine(None, overrides)}


@contextmanager
def _listening() -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_sound_place_has_nothing_that_failed(tmp_path: Path) -> None:
    found = _found(tmp_path)
    assert [each for each in found.values() if each.level is Level.FAILED] == []
    assert "will be made" in found["data directory"].message
    assert not (tmp_path / "data").exists()  # it looks only


def test_settings_that_are_wrong_are_named(tmp_path: Path) -> None:
    found = _found(tmp_path, **{"server.port": 70000})
    assert found["configuration"].level is Level.FAILED
    assert "server.port" in found["configuration"].message


def test_a_port_that_somebody_has_is_noticed(tmp_path: Path) -> None:
    with _listening() as port:
        found = _found(tmp_path, metrics_listen=f"127.0.0.1:{port}")
    assert found["metrics port"].level is Level.WARNING
    assert f"sport = :{port}" in found["metrics port"].remedy


def test_a_data_directory_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    assert _found(tmp_path)["data directory"].level is Level.FAILED


def test_a_data_directory_that_others_may_look_into_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.chmod(tmp_path / "data", 0o755)
    found = _found(tmp_path)["data directory"]
    assert found.level is Level.WARNING
    assert found.remedy == f"chmod 700 {tmp_path / 'data'}"


def test_a_database_that_is_damaged_fails(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "stratal.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 9000)
    subjects = [
        each
        for each in examine(None, {**SIMULATED, "data_directory": tmp_path / "data"})
        if each.subject == "database"
    ]
    assert any(each.level is Level.FAILED for each in subjects)


def test_a_database_that_cannot_be_reached_fails_and_does_not_tell_its_password(tmp_path: Path) -> None:
    with _listening() as port:
        pass  # nobody listens there now
    url = f"postgresql+psycopg://stratal:geheim@127.0.0.1:{port}/stratal"
    found = _found(tmp_path, database_url=url)["database"]
    assert found.level is Level.FAILED
    assert "geheim" not in found.message + found.remedy


def test_every_finding_that_is_not_good_says_what_to_do(tmp_path: Path) -> None:
    overrides: dict[str, object] = {**SIMULATED, "simulate": False, "data_directory": tmp_path / "data"}
    for finding in examine(None, overrides):
        assert finding.level is Level.OK or finding.remedy, finding


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_api_that_is_open_and_not_encrypted_is_a_warning(tmp_path: Path, host: str) -> None:
    assert _found(tmp_path, **{"server.host": host})["TLS"].level is Level.WARNING
