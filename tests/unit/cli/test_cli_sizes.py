"""Sizes as people write and read them."""

import pytest

from stratal.cli.client.errors import BadArgument
from stratal.cli.client.sizes import shown_bytes, size_bytes, size_mb


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1), ("1K", 1024), ("10G", 10 * 2**30), ("1.5 TiB", 3 * 2**39), ("2gb", 2**31), ("0.5k", 512)],
)
def test_a_size_is_in_binary_units_whatever_they_are_called(text: str, number: int) -> None:
    assert size_bytes(text) == number


@pytest.mark.parametrize("text", ["", "G", "10X", "-1G", "1,5G", "1e3", "١G", "10G\n1"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadArgument, match="is not a size"):
        size_bytes(text)


def test_a_plain_number_of_a_size_in_mib_counts_mib() -> None:
    assert (size_mb("100"), size_mb("1G"), size_mb("1048576K")) == (100, 1024, 1024)


def test_a_size_that_is_no_whole_number_of_mib_is_refused_rather_than_rounded() -> None:
    with pytest.raises(BadArgument, match="whole number of MiB"):
        size_mb("1500K")


def test_a_size_too_large_for_floating_point_is_exact() -> None:
    assert size_bytes("7.5E") == 15 * 2**59
    assert size_bytes("9007199254740993") == 9007199254740993


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (10 * 2**30, "10 GiB"),
        (2**60, "1 EiB"),
    ],
)
def test_bytes_are_shown_in_the_unit_that_fits(number: int, text: str) -> None:
    assert shown_bytes(number) == text
