"""How much the tests try: everything (`make test`), or as much as fits into a minute (`make check`)."""

import os
from typing import Final

QUICK: Final = os.environ.get("STRATAL_QUICK") == "1"
"""Nothing runs on PostgreSQL, and properties are tried on fewer examples."""

_FEWEST = 10


def examples(number: int) -> int:
    """How many examples a property is tried on, where `number` are thorough."""
    return max(min(number, _FEWEST), number // 10) if QUICK else number
