import os
import signal
import subprocess
import sys

import pytest

from stratal.kernel.effects import ENVIRONMENT_VARIABLE, Effect

_PROGRAM = """
from stratal.kernel.effects import Effect
effect = Effect("test.write")
for turn in range(3):
    try:
        with effect:
            print("in", turn, flush=True)
            if turn == 1:
                raise ValueError
    except ValueError:
        pass
    print("out", turn, flush=True)
"""


def _run(point: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, ENVIRONMENT_VARIABLE: point},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def test_an_effect_that_is_declared_twice_is_refused() -> None:
    Effect("test.once")
    with pytest.raises(ValueError, match="declared twice"):
        Effect("test.once")


def test_every_effect_has_a_crash_point_on_either_side() -> None:
    Effect("test.sides")
    assert {"test.sides.before", "test.sides.after"} <= set(Effect.crash_points())


def test_the_point_before_kills_before_the_effect() -> None:
    assert _run("test.write.before") == (-signal.SIGKILL, [])


def test_the_point_after_kills_after_the_effect() -> None:
    assert _run("test.write.after") == (-signal.SIGKILL, ["in 0"])


def test_an_effect_that_failed_does_not_pass_the_point_after_it() -> None:
    assert _run("test.write.after#2") == (-signal.SIGKILL, ["in 0", "out 0", "in 1", "out 1", "in 2"])


def test_a_point_that_is_passed_too_rarely_kills_nothing() -> None:
    assert _run("test.write.before#4")[0] == 0
