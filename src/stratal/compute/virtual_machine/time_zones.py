"""What a guest's clock can show. Pure but for the host's list of time zones."""

import zoneinfo
from functools import cache
from typing import Final

from stratal.kernel.errors import Invalid

PLAIN: Final = ("utc", "localtime")


def check_time_zone(name: str) -> None:
    """Raises Invalid for what is neither utc, localtime nor the name of a time zone."""
    if name not in PLAIN and name not in _zones():
        raise Invalid(
            field="spec.time_zone",
            reason=f"{name!r} is neither utc, localtime nor the name of a time zone such as Europe/Vienna",
        )


@cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())
