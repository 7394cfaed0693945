"""SIGKILL at any time, in the middle of a stream of writes."""

import random
import time
from pathlib import Path

from crash_programs import Program, assert_acknowledged, recover

_ROUNDS = 10


def test_nothing_that_was_acknowledged_is_lost_whenever_a_process_is_killed(
    database_url: str, tmp_path: Path
) -> None:
    world = tmp_path / "documents"
    world.mkdir()
    chance = random.Random(2026)
    output = ""
    for number in range(_ROUNDS):
        running = Program(tmp_path / f"output-{number}", "stream", database_url, str(world), f"r{number}")
        running.wait_until_ready()
        time.sleep(chance.uniform(0.02, 0.6))
        running.end()
        output += running.output
    assert output.count("acknowledged") > _ROUNDS
    assert_acknowledged(output, recover(database_url, world))
