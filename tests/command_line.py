"""The `stratal` command, run as people and scripts run it: in a process of its own."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 60.0
CTRL_C = "\x03"


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def rows(self) -> list[dict[str, str]]:
        """The rows of a table, by their titles."""
        titles, *lines = self.out.splitlines()
        starts = [match.start() for match in re.finditer(r"(?:(?<=  )|^)\S", titles)]
        ends = [*starts[1:], 10_000]
        return [
            {
                titles[start:end].strip(): line[start:end].strip()
                for start, end in zip(starts, ends, strict=True)
            }
            for line in lines
        ]


class CommandLine:
    """The command, with a home of its own."""

    def __init__(self, home: Path, **environment: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STRATAL_")}
        homes = {name: str(home / name) for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
        self.environment = {**kept, "HOME": str(home), **homes, "COLUMNS": "200", **environment}

    def __call__(self, *arguments: str, code: int = 0, typed: str = "", **environment: str) -> Said:
        """Run it without a terminal. `code` is the exit code that it must have."""
        done = subprocess.run(
            self._command(arguments),
            input=typed,
            capture_output=True,
            text=True,
            env={**self.environment, **environment},
            timeout=SECONDS,
            check=False,
        )
        said = Said(code=done.returncode, out=done.stdout, err=done.stderr)
        assert said.code == code, (arguments, said)
        assert "Traceback" not in said.err, said.err
        return said

    def json(self, *arguments: str) -> Any:
        return self(*arguments, "--json").json

    def at_terminal(self, *arguments: str, answers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Run it at a terminal; returns its exit code and all that was to be seen.

        `answers`: what is typed as soon as something is to be seen; CTRL_C is a key as well.
        """
        child, terminal = pty.fork()
        if child == 0:  # pragma: no cover - it becomes the command
            os.execve(sys.executable, self._command(arguments), {**self.environment, "TERM": "xterm"})
        seen = b""
        waiting = dict(answers or {})
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            ready, _, _ = select.select([terminal], [], [], 0.2)
            if not ready:
                continue
            try:
                part = os.read(terminal, 65536)
            except OSError:  # it is gone
                break
            if not part:
                break
            seen += part
            for prompt in [each for each in waiting if each.encode() in seen]:
                os.write(terminal, waiting.pop(prompt).encode())
        else:
            os.kill(child, signal.SIGKILL)
        os.close(terminal)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), seen.decode(errors="replace")

    @staticmethod
    def _command(arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "stratal", *arguments]
