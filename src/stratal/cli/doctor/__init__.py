"""`stratal doctor`: what is wrong with this host, or will be, and what to do about it.

Looks only, and changes nothing but for a file that it writes to where disks will be, and removes again.
"""

from collections.abc import Iterator
from pathlib import Path

from stratal.cli.doctor.finding import Finding, Level
from stratal.kernel.errors import StratalError

__all__ = ["Finding", "Level", "examine"]


def examine(config: Path | None, overrides: dict[str, object]) -> Iterator[Finding]:
    """Everything that was looked at, as it is found."""
    from stratal.cli.doctor import host, places, programs, services
    from stratal.kernel.settings import load_settings

    yield from host.examine()
    try:
        settings = load_settings(config, overrides)
    except StratalError as error:
        yield Finding.bad("configuration", error.message, "Correct the setting that is named.")
        return
    yield Finding.good("configuration", str(config) if config else "defaults and environment")
    if settings.simulate:
        yield Finding.good("simulation", "machines, disks and networks are simulated: nothing else is needed")
    else:
        yield from programs.examine(settings)
    yield from places.examine(settings)
    yield from services.examine(settings)
