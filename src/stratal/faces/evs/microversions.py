"""Which version of Block Storage a request is in. Called by `dispatch`."""

import re
from typing import Final

from stratal.faces.evs.call import NEWEST, OLDEST, Microversion
from stratal.faces.evs.faults import Fault, bad_request

HEADER: Final = "openstack-api-version"
_VERSION: Final = re.compile(r"^(\d{1,4})\.(\d{1,4})$")


def requested(header: str | None) -> Microversion:
    """The version that a header such as `volume 3.27, compute 2.1` asks for; 3.0 where it names none.

    Raises 406 outside of what there is, 400 for what is no version.
    """
    for part in (header or "").split(","):
        service, _, text = part.strip().partition(" ")
        if service.lower() != "volume":
            continue
        return _parsed(text.strip())
    return OLDEST


def shown(version: Microversion) -> str:
    return f"{version[0]}.{version[1]}"


def _parsed(text: str) -> Microversion:
    if text == "latest":
        return NEWEST
    match = _VERSION.match(text)
    if match is None:
        raise bad_request(
            f"API Version String {text:.32} is of invalid format. Must be of format MajorNum.MinorNum."
        )
    version = (int(match[1]), int(match[2]))
    if not OLDEST <= version <= NEWEST:
        raise Fault(
            406,
            f"Version {text} is not supported by the API. "
            f"Minimum is {shown(OLDEST)} and maximum is {shown(NEWEST)}.",
        )
    return version
