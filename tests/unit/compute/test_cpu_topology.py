"""Processors: what follows from what was said, and what does not go together."""

import pytest

from stratal.compute.virtual_machine.topology import complete
from stratal.kernel.errors import Invalid

BEFORE = {"socket_num": 2, "core_num_per_socket": 4, "thread_num_per_core": 1}


def laid_out(**said: int) -> tuple[int, ...]:
    return tuple(complete(said).values())


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, (1, 1, 1, 1)),
        ({"cpu_num": 4}, (4, 1, 1, 4)),
        ({"cpu_num": 8, "core_num_per_socket": 4}, (2, 4, 1, 8)),
        ({"cpu_num": 8, "socket_num": 2}, (2, 4, 1, 8)),
        ({"cpu_num": 8, "socket_num": 1, "core_num_per_socket": 4}, (1, 4, 2, 8)),
        ({"socket_num": 2, "core_num_per_socket": 3, "thread_num_per_core": 2}, (2, 3, 2, 12)),
        ({"cpu_num": 12, "socket_num": 2, "core_num_per_socket": 3, "thread_num_per_core": 2}, (2, 3, 2, 12)),
    ],
)
def test_what_is_left_out_follows_from_the_rest(said: dict[str, int], expected: tuple[int, ...]) -> None:
    assert laid_out(**said) == expected


@pytest.mark.parametrize(
    "said",
    [
        {"cpu_num": 5, "socket_num": 2},
        {"cpu_num": 4, "socket_num": 1, "core_num_per_socket": 1, "thread_num_per_core": 1},
        {"cpu_num": 3, "core_num_per_socket": 2},
        {"socket_num": 16, "core_num_per_socket": 16},
    ],
)
def test_what_does_not_go_together_is_refused_by_the_number_of_processors(said: dict[str, int]) -> None:
    with pytest.raises(Invalid) as refused:
        complete(said)
    assert refused.value.fields["field"] == "spec.cpu_num"


def test_a_machine_grows_by_sockets() -> None:
    assert complete({"cpu_num": 16}, BEFORE)["socket_num"] == 4
    assert complete({"cpu_num": 16}, BEFORE)["core_num_per_socket"] == 4


def test_a_change_of_one_part_changes_the_number_of_processors() -> None:
    assert complete({"core_num_per_socket": 2}, BEFORE)["cpu_num"] == 4


def test_a_number_that_no_whole_sockets_make_has_to_be_laid_out() -> None:
    with pytest.raises(Invalid, match="core_num_per_socket 4"):
        complete({"cpu_num": 6}, BEFORE)
    assert complete({"cpu_num": 6, "core_num_per_socket": 3}, BEFORE)["socket_num"] == 2
