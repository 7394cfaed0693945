"""Limits of speed, as policies and volumes have them. Called by both services."""

from collections.abc import Mapping

from stratal.kernel.errors import Invalid
from stratal.storage.bs_policy.model import LEAST_BYTES_PER_SECOND, LEAST_IOPS

_LEAST = {"max_total_iops": LEAST_IOPS, "max_total_bw_bps": LEAST_BYTES_PER_SECOND}


def check_speed(spec: Mapping[str, object]) -> None:
    """Raises Invalid for a limit so low that a guest could not even boot; 0 means that there is none."""
    for name, least in _LEAST.items():
        value = spec.get(name)
        if isinstance(value, int) and 0 < value < least:
            raise Invalid(field=f"spec.{name}", reason=f"must be 0, for no limit, or at least {least}")
