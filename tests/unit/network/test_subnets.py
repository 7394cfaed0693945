"""What is a subnet, and which addresses in it are whose."""

from ipaddress import IPv4Address, IPv4Network

import pytest

from stratal.kernel.errors import Invalid
from stratal.network.subnets import check_host, parse_address, parse_subnet, service_address


@pytest.mark.parametrize("text", ["10.1.2.0/24", "192.168.0.0/16", "10.0.0.0/8", "198.51.100.4/30"])
def test_a_subnet_is_taken_as_it_stands(text: str) -> None:
    assert str(parse_subnet(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "10.1.2.3", "10.1.2.3/24", "10.1.2.0/33", "10.1.2.0/31", "10.1.2.0/32", "0.0.0.0/8"),
        *(
            "127.0.0.0/8",
            "224.0.0.0/8",
            "240.0.0.0/8",
            "2001:db8::/64",
            "ten/8",
            "10.1.2.0/24 ",
            "10.1.2.0/7",
        ),
        *("١٠.1.2.0/24", "10.1.2.0/255.255.255.0", "0/8", "10.1.2.0/-1"),
    ],
)
def test_what_guests_can_have_no_addresses_in_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_subnet(text)
    assert caught.value.fields["field"] == "spec.cidr"


@pytest.mark.parametrize("text", ["10.1.3.1", "10.1.2.0", "10.1.2.255"])
def test_an_address_that_no_host_of_the_subnet_can_have_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        check_host(IPv4Address(text), IPv4Network("10.1.2.0/24"), field="spec.gateway")


@pytest.mark.parametrize("text", ["", "10.1.2", "10.1.2.300", "::1", "gateway"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_address(text, field="spec.gateway")


def test_a_service_has_the_highest_address_that_nobody_has() -> None:
    subnet = IPv4Network("10.1.2.0/29")
    assert str(service_address(subnet, set())) == "10.1.2.6/29"
    assert str(service_address(subnet, {"10.1.2.6", "10.1.2.5"})) == "10.1.2.4/29"
    assert service_address(subnet, {f"10.1.2.{last}" for last in range(1, 7)}) is None
