"""What docs/cli.md tells people to type, typed."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from command_line import CommandLine
from running_server import running_server
from stratal.cli.commands.root import command

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
_TOUR = re.compile(r"<!-- tour:.*?-->(.*?)<!-- end of the tour -->", re.DOTALL)
_COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    tour = _TOUR.search(PAGE.read_text())
    assert tour is not None
    script = "set -eu\n" + "\n".join(_COMMANDS.findall(tour[1]))
    program = tmp_path / "bin" / "stratal"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m stratal "$@"\n')
    program.chmod(0o755)
    (tmp_path / "debian.qcow2").write_bytes(b"a disk" * 2**16)
    with running_server(tmp_path / "server", environment={"STRATAL_SIMULATE": "true"}) as server:
        script = script.replace("http://127.0.0.1:6012", server.url).replace(
            "upload debian.qcow2",
            "upload debian.qcow2 --format raw",  # what simulated storage can hold
        )
        environment = CommandLine(tmp_path, STRATAL_PASSWORD=server.password, STRATAL_WAIT="1").environment
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={**environment, "PATH": f"{program.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "← now" in done.stdout
    assert "['web', 'web-2']" in done.stdout


def test_every_command_that_the_page_names_is_there() -> None:
    whole: Any = command()
    for words in re.findall(r"`stratal ([a-z][a-z -]*)", PAGE.read_text()):
        group, *below = words.split()
        found = whole.get_command(None, group)
        assert found is not None, words
        if below and hasattr(found, "get_command"):
            assert found.get_command(None, below[0]) is not None, words
