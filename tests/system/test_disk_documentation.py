"""What docs/disks.md tells people to type, typed: with a real image, on real files."""

import os
import re
import subprocess
import sys
from pathlib import Path

from command_line import CommandLine
from image_files import convert, raw_disk
from running_server import running_server

PAGE = Path(__file__).parents[2] / "docs" / "disks.md"
_TOUR = re.compile(r"<!-- tour:.*?-->(.*?)<!-- end of the tour -->", re.DOTALL)
_COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_a_new_user_reads_back_the_right_bytes_of_every_branch(tmp_path: Path) -> None:
    tour = _TOUR.search(PAGE.read_text())
    assert tour is not None
    script = "set -eu\n" + "\n".join(_COMMANDS.findall(tour[1]))
    program = tmp_path / "bin" / "stratal"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m stratal "$@"\n')
    program.chmod(0o755)
    image = convert(raw_disk(tmp_path / "debian.raw"), "qcow2")
    image.rename(tmp_path / "debian.qcow2")
    with running_server(tmp_path / "server") as server:
        script = script.replace("http://127.0.0.1:6012", server.url)
        environment = CommandLine(tmp_path, STRATAL_PASSWORD=server.password, STRATAL_WAIT="1").environment
        layers = server.directory / "data" / "layers"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={**environment, "LAYERS": str(layers), "PATH": f"{program.parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "B in second" in done.stdout
    assert "C in branch" in done.stdout
    assert "Images are identical." in done.stdout
