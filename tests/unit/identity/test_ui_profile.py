"""What a UI profile may hold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratal.identity.user.ui_profile import MAX_DEPTH, profile_problem


def nested(levels: int, of: str) -> dict[str, Any]:
    value: Any = 1
    for _ in range(levels - 1):
        value = [value] if of == "list" else {"a": value}
    return {"a": value}


@pytest.mark.parametrize("of", ["list", "object"])
def test_a_profile_may_be_nested_so_deep_and_no_deeper(of: str) -> None:
    assert profile_problem(nested(MAX_DEPTH, of)) is None
    problem = profile_problem(nested(MAX_DEPTH + 1, of))
    assert problem is not None
    assert f"{MAX_DEPTH} levels" in problem


@pytest.mark.parametrize(
    "profile",
    [{"a": "\0"}, {"\0": 1}, {"a": ["b", "c\0"]}, {"a": {"b": {"c\0": None}}}, {"a": [[["\0"]]]}],
)
def test_nul_is_found_wherever_it_is(profile: dict[str, Any]) -> None:
    assert profile_problem(profile) == "must not contain the NUL character"


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_characters="\0")),
    lambda below: st.lists(below) | st.dictionaries(st.text(st.characters(exclude_characters="\0")), below),
    max_leaves=10,
)


@given(st.dictionaries(st.text(st.characters(exclude_characters="\0")), _JSON))
def test_any_other_json_may_be_kept(profile: dict[str, Any]) -> None:
    assert profile_problem(profile) is None
