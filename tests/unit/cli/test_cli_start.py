"""That every command starts at once: what takes long to import is imported when it is used."""

import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest

from stratal.cli.commands.root import GROUPS, command

_HEAVY = ("httpx", "rich", "sqlalchemy", "litestar", "stratal.server", "stratal.kernel.settings")
_PROGRAM = """
import sys
sys.argv = ["stratal", *sys.argv[1:]]
from stratal.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print("\\n", *(name for name in %r if name in sys.modules), sep="imported: ")
"""


def _imported_by(*arguments: str) -> str:
    command = [sys.executable, "-c", _PROGRAM % (_HEAVY,), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rpartition("\n\n")[2] if "imported: " in done.stdout else ""


@pytest.mark.parametrize("arguments", [("--help",), ("volume", "--help"), ("vm", "create", "--help")])
def test_help_needs_nothing_that_takes_long_to_import(arguments: tuple[str, ...]) -> None:
    assert _imported_by(*arguments) == ""


def _paths(group: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    below = group.list_commands(None) if hasattr(group, "list_commands") else []
    return [path, *(each for name in below for each in _paths(group.get_command(None, name), (*path, name)))]


def test_every_command_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    whole = command()
    paths = _paths(whole)
    assert len(paths) > 100
    for path in paths:
        with pytest.raises(SystemExit) as ended:
            whole([*path, "--help"], prog_name="stratal")
        assert ended.value.code == 0, path
        assert f"Usage: {' '.join(('stratal', *path))}" in capsys.readouterr().out


def test_every_group_is_where_the_table_of_groups_says() -> None:
    for name, _, module, attribute, _ in GROUPS:
        assert getattr(import_module(module), attribute).registered_commands, name
