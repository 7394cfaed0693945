"""What benchmarks are called with and what they return."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.results import Row


@dataclass(frozen=True, kw_only=True)
class Options:
    #: how often each figure is taken; its median is reported
    rounds: int
    #: for how long one figure is taken once
    seconds: float
    #: says what is being done
    progress: Callable[[str], None]
    #: says what cannot be done
    warn: Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    rows: Sequence[Row]
    #: sentences about how the figures came to be
    remarks: Sequence[str] = ()
