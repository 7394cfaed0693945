"""The page that a request asks for, or why there is none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratal.kernel.errors import Invalid
from stratal.kernel.query import Page


@pytest.mark.parametrize(
    ("parameters", "page"),
    [
        ({}, Page(limit=1000, offset=0)),
        ({"limit": "10"}, Page(limit=10, offset=0)),
        ({"limit": "-1"}, Page(limit=1000, offset=0)),
        ({"limit": "0"}, Page(limit=0, offset=0)),
        ({"limit": "1000", "offset": "20"}, Page(limit=1000, offset=20)),
        ({"index": "20"}, Page(limit=1000, offset=20)),
        ({"offset": "20", "index": "020"}, Page(limit=1000, offset=20)),
        ({"offset": "9223372036854775807"}, Page(limit=1000, offset=2**63 - 1)),
    ],
)
def test_a_page_is_what_was_asked_for(parameters: dict[str, str], page: Page) -> None:
    assert Page.parse(**parameters) == page


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"limit": "1001"}, "limit"),
        ({"limit": "-2"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"limit": "1.0"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"offset": "9223372036854775808"}, "offset"),
        ({"index": "x"}, "index"),
        ({"offset": "1", "index": "2"}, "index"),
        ({"offset": "0", "index": "2"}, "index"),
    ],
)
def test_a_page_that_makes_no_sense_is_invalid(parameters: dict[str, str], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        Page.parse(**parameters)
    assert caught.value.fields["field"] == field


@given(*[st.none() | st.text(alphabet=st.characters(), max_size=30)] * 3)
@settings(deadline=None)
def test_any_parameters_make_a_page_or_are_invalid(
    limit: str | None, offset: str | None, index: str | None
) -> None:
    try:
        page = Page.parse(limit=limit, offset=offset, index=index)
    except Invalid:
        return
    assert 0 <= page.limit <= 1000
    assert 0 <= page.offset < 2**63
