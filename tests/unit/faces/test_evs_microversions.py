"""Which version a header asks for."""

import pytest

from stratal.faces.evs.call import NEWEST, OLDEST
from stratal.faces.evs.faults import Fault
from stratal.faces.evs.microversions import requested


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (None, OLDEST),
        ("", OLDEST),
        ("compute 2.90", OLDEST),
        ("volume 3.27", (3, 27)),
        ("compute 2.90, volume 3.40", (3, 40)),
        ("Volume 3.5", (3, 5)),
        ("volume latest", NEWEST),
    ],
)
def test_the_version_of_block_storage_is_found(header: str | None, version: tuple[int, int]) -> None:
    assert requested(header) == version


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("volume 3.67", 406),
        ("volume 2.0", 406),
        ("volume 4.0", 406),
        ("volume x", 400),
        ("volume 3", 400),
        ("volume 3.1.1", 400),
    ],
)
def test_what_is_no_version_or_none_of_these_is_refused(header: str, status: int) -> None:
    with pytest.raises(Fault) as refused:
        requested(header)
    assert refused.value.status == status
