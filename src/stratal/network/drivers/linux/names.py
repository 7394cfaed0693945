"""The names of an installation's devices, which tell whose they are. Called by the parts of the driver.

A name of Linux has at most 15 bytes: `s`, four hexadecimal digits of the installation's tag, a letter for the
sort of device, and the id of what it is for. So what is ours can be told by a name alone, which a device has
from its first moment, whatever was killed right after.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_LONGEST: Final = 15


class Sort(StrEnum):
    """What a device is; its letter in the name."""

    BRIDGE = "b"
    #: a guest's tap
    TAP = "t"
    #: what a tap's incoming traffic is sent through to be slowed down
    SHAPER = "i"
    #: the host's end of the cable to a DHCP service
    CABLE = "d"
    #: a network's frames on an uplink
    VLAN = "v"
    #: a switch's bond
    BOND = "u"


def tag_of(installation: str) -> str:
    """Four hexadecimal digits that stand for an installation on its host."""
    return hashlib.sha256(installation.encode()).hexdigest()[:4]


@dataclass(frozen=True)
class Names:
    """The names of one installation."""

    tag: str

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{4}", self.tag):
            raise ValueError(f"{self.tag!r} is no tag")

    def device(self, sort: Sort, id: int) -> str:
        name = f"s{self.tag}{sort.value}{id}"
        if id < 0 or len(name) > _LONGEST:
            raise ValueError(f"{id} is too large for the name of a device")
        return name

    def namespace(self, network: int) -> str:
        return f"s{self.tag}-{network}"

    def meaning(self, name: str) -> tuple[Sort, int] | None:
        """What a device of this name is for; None for one that is not ours."""
        found = re.fullmatch(f"s{self.tag}([btidvu])([0-9]+)", name)
        return (Sort(found[1]), int(found[2])) if found else None

    def network_of(self, namespace: str) -> int | None:
        """The network that a namespace of this name is for; None for one that is not ours."""
        found = re.fullmatch(f"s{self.tag}-([0-9]+)", namespace)
        return int(found[1]) if found else None

    def mac(self, sort: Sort, id: int) -> str:
        """A locally administered MAC that is always the same for one device of this installation."""
        digest = hashlib.sha256(f"{self.tag} {sort.value} {id}".encode()).digest()
        return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))
