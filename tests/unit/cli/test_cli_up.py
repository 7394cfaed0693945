"""What `stratal up` writes: a configuration file and a unit."""

import stat
import sys
from pathlib import Path

import pytest

from stratal.cli import configuration
from stratal.cli.unit import systemd_unit
from stratal.kernel.errors import Conflict
from stratal.kernel.settings import load_settings


def test_the_file_that_is_written_can_be_read_and_names_the_data_directory(tmp_path: Path) -> None:
    file = tmp_path / "etc" / "stratal.toml"
    directory = tmp_path / 'a "quoted" \\ directory'
    configuration.write(file, directory)
    assert load_settings(file, {}).data_directory == directory
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_may_have_been_changed_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "stratal.toml"
    configuration.write(file, tmp_path)
    file.write_text("node_name = 'mine'\n")
    with pytest.raises(Conflict):
        configuration.write(file, tmp_path)
    assert load_settings(file, {}).node_name == "mine"
    configuration.write(file, tmp_path, force=True)
    assert load_settings(file, {}).node_name != "mine"


def test_who_is_not_root_has_everything_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", "relative, and so to be ignored")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert configuration.default_file() == tmp_path / "config" / "stratal" / "stratal.toml"
    assert configuration.default_data_directory() == tmp_path / ".local" / "share" / "stratal"


def test_the_unit_stops_the_server_alone_and_quotes_its_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/stratal/bin/stratal", "up"])
    lines = systemd_unit(Path("/etc/100% $mine/stratal.toml"), 20.0).splitlines()
    assert "KillMode=process" in lines
    assert "ExecStart=/opt/stratal/bin/stratal up --config '/etc/100%% $$mine/stratal.toml'" in lines
    assert "TimeoutStopSec=35" in lines
