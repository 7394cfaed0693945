"""Every way to write a path comes to the one that is routed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratal.faces.neutonos.paths import canonical


@pytest.mark.parametrize(
    ("written", "routed"),
    [
        ("/users", "/users"),
        ("/users/", "/users"),
        ("/users/7", "/users/7"),
        ("/users/7/", "/users/7"),
        ("/users/7/:allow-login", "/users/7/:allow-login"),
        ("/users/7/:allow-login/", "/users/7/:allow-login"),
        ("/users/7:allow-login", "/users/7/:allow-login"),
        ("/users/7/{allow-login}", "/users/7/:allow-login"),
        ("/users/{verify-password}", "/users/:verify-password"),
        ("/users/:verify-password", "/users/:verify-password"),
        ("/users:verify-password", "/users/:verify-password"),
        ("/users/7/projects/8:set-role", "/users/7/projects/8/:set-role"),
        ("/", "/"),
        ("///", "/"),
        ("", "/"),
        ("/users/{id}", "/users/:id"),
        ("/users/{ID}", "/users/{ID}"),
        ("/users/{", "/users/{"),
        ("/:", "/:"),
    ],
)
def test_a_path_comes_to_the_form_that_is_routed(written: str, routed: str) -> None:
    assert canonical(written) == routed


@given(st.text(alphabet="/:{}ab7-%\0é", max_size=30))
def test_what_is_routed_stays_as_it_is(written: str) -> None:
    once = canonical(written)
    assert canonical(once) == once
    assert once == "/" or not once.endswith("/")
