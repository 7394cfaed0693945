"""Subnets of networks: what is one, and which addresses in it are whose. Pure."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Final

from stratal.kernel.errors import Invalid

_LONGEST_PREFIX: Final = 30
_SHORTEST_PREFIX: Final = 8


def parse_subnet(text: str, *, field: str = "spec.cidr") -> IPv4Network:
    """Raises Invalid for what is none that guests could have."""
    try:
        subnet = IPv4Network(text)
    except ValueError as error:
        raise Invalid(field=field, reason=f"{text!r} is not an IPv4 subnet such as 10.1.2.0/24") from error
    if text != str(subnet) or not _SHORTEST_PREFIX <= subnet.prefixlen <= _LONGEST_PREFIX:
        raise Invalid(
            field=field,
            reason=f"it must be written with a prefix of {_SHORTEST_PREFIX} to {_LONGEST_PREFIX} bits",
        )
    if subnet.is_multicast or subnet.is_loopback or subnet.is_reserved or subnet[0].is_unspecified:
        raise Invalid(field=field, reason=f"{text} is not for hosts of a network")
    return subnet


def parse_address(text: str, *, field: str) -> IPv4Address:
    """Raises Invalid."""
    try:
        return IPv4Address(text)
    except ValueError as error:
        raise Invalid(field=field, reason=f"{text!r} is not an IPv4 address") from error


def check_host(address: IPv4Address, subnet: IPv4Network, *, field: str) -> None:
    """Raises Invalid for an address that no host of the subnet can have."""
    if address not in subnet:
        raise Invalid(field=field, reason=f"{address} is not in {subnet}")
    if address in (subnet.network_address, subnet.broadcast_address):
        raise Invalid(field=field, reason=f"{address} stands for all of {subnet}, and for no host")


def service_address(subnet: IPv4Network, taken: Collection[str]) -> IPv4Interface | None:
    """The address for a DHCP service: the highest that nobody has. None when there is none left."""
    for offset in range(2, subnet.num_addresses):
        address = subnet[-offset]
        if str(address) not in taken:
            return IPv4Interface(f"{address}/{subnet.prefixlen}")
    return None
