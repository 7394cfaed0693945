"""Hardware addresses of network interfaces. Pure but for chance."""

import re
from typing import Final

from stratal.kernel.clock import Entropy
from stratal.kernel.errors import Invalid

_OUTSIDE: Final = re.compile(r"[^0-9a-f]")
_NOBODY: Final = frozenset({"00:00:00:00:00:00"})


def canonical_mac(text: str) -> str:
    """An address in lower case with colons. Raises Invalid for one that no interface can have."""
    digits = _OUTSIDE.sub("", text.lower())
    mac = ":".join(digits[place : place + 2] for place in range(0, 12, 2))
    if int(digits[:2], 16) & 1 or mac in _NOBODY:
        raise Invalid(field="spec.mac_address", reason=f"{text} is not the address of a single interface")
    return mac


def new_mac(entropy: Entropy) -> str:
    """An address by chance, locally administered: of 2^40 there are, so that two meet once in a million
    machines; whoever keeps them looks whether it is taken.
    """
    digits = entropy.token()[:10]
    return ":".join(["02", *(digits[place : place + 2] for place in range(0, 10, 2))])
