"""SIGKILL at any time, in the middle of a stream of writes."""

import random
import signal
from pathlib import Path

from crash_programs import Nursery, assert_acknowledged, recover

_ROUNDS = 10


def test_nothing_that_was_acknowledged_is_lost_whenever_a_process_is_killed(
    programs: Nursery, database_url: str, world: Path, tmp_path: Path
) -> None:
    chance = random.Random(2026)
    output = ""
    for number in range(_ROUNDS):
        seconds = str(chance.uniform(0.02, 0.6))
        ended = programs.run(tmp_path, "stream", database_url, str(world), f"r{number}", seconds)
        assert ended.status == -signal.SIGKILL, ended.logs
        output += ended.output.rpartition("\n")[0] + "\n"
    assert output.count("acknowledged") > _ROUNDS
    assert_acknowledged(output, recover(database_url, world))
