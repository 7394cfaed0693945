"""Benchmarks of Stratal: `python -m bench [NAME...]`, or `make bench`.

Each benchmark is a module with a `run(options)` that returns rows (see `results`), named in `__main__`.
Figures are medians over rounds in which the subject, its baseline and other databases take turns, because
the machine that they run on is seldom quiet.
"""

import sys
from pathlib import Path

# what the benchmarks borrow from the tests (servers to start) imports its neighbours by their bare names
sys.path.append(str(Path(__file__).parent.parent / "tests"))
