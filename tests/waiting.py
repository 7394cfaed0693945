"""Waiting for what engines and guests do in their own time."""

import time
from collections.abc import Callable
from typing import Any

_SHORTEST, _LONGEST = 0.002, 0.03
"""Seconds between two looks: a look takes CPU time from those that are waited for."""


def eventually(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until a condition holds; fail with an AssertionError when it does not in time."""
    deadline = time.monotonic() + seconds
    rest = _SHORTEST
    while not (result := condition()):
        assert time.monotonic() < deadline, "it did not come to hold in time"
        time.sleep(rest)
        rest = min(1.25 * rest, _LONGEST)
    return result
