"""The places of disks in a guest."""

import pytest

from stratal.compute.vm_disk.targets import first_free, letters


@pytest.mark.parametrize(
    ("number", "name"), [(0, "a"), (25, "z"), (26, "aa"), (27, "ab"), (51, "az"), (52, "ba"), (701, "zz")]
)
def test_places_are_counted_as_linux_counts_them(number: int, name: str) -> None:
    assert letters(number) == name


def test_the_first_free_place_is_taken() -> None:
    assert first_free("virtio", set()) == "vda"
    assert first_free("virtio", {"vda", "vdc", "sdb"}) == "vdb"
    assert first_free("ide", {"hda"}) == "hdb"


def test_scsi_and_sata_share_their_names() -> None:
    assert first_free("sata", {"sda"}) == first_free("scsi", {"sda"}) == "sdb"
