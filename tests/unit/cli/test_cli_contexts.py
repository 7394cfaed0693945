"""The file of contexts: whom it shows tokens to, and that it survives everything."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stratal.cli.client import contexts
from stratal.cli.client.connection import base_url
from stratal.cli.client.contexts import Context, FileUnusable
from stratal.cli.client.errors import BadArgument, NotLoggedIn
from stratal.cli.client.session import context

HERE = Context(url="http://127.0.0.1:6012/sddc/v1", user="admin", token="ab" * 16)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    for name in ("STRATAL_URL", "STRATAL_TOKEN", "STRATAL_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "stratal" / "contexts.json"


def test_the_file_with_the_tokens_is_for_its_owner_alone_whatever_the_umask(state: Path) -> None:
    before = os.umask(0)
    try:
        contexts.change(lambda now: now.with_("here", HERE))
    finally:
        os.umask(before)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.parent.stat().st_mode) == 0o700
    assert [path.name for path in state.parent.iterdir() if path.name.startswith(".")] == []


def test_what_was_written_is_read_again() -> None:
    contexts.change(lambda now: now.with_("here", HERE).switched("here"))
    assert contexts.load().all == {"here": HERE}
    assert context() == HERE


def test_changes_at_the_same_moment_lose_nothing() -> None:
    def add(number: int) -> None:
        contexts.change(lambda now: now.with_(f"c{number}", HERE))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert len(contexts.load().all) == 40


def test_a_file_that_is_none_of_ours_is_named_and_not_replaced(state: Path) -> None:
    state.parent.mkdir()
    for text in (
        "{",
        "[]",
        '{"contexts": {"a": 1}, "current": "a"}',
        '{"contexts": {"a": {}}, "current": ""}',
    ):
        state.write_text(text)
        with pytest.raises(FileUnusable, match=str(state)):
            contexts.change(lambda now: now.with_("here", HERE))
        assert state.read_text() == text


def test_a_context_that_is_removed_is_no_longer_the_current_one() -> None:
    both = contexts.Contexts().with_("a", HERE).with_("b", HERE).switched("b")
    assert both.without("b").current == "a"
    assert both.without("a").current == "b"


def test_switching_to_a_context_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(BadArgument, match="there are: a, b"):
        contexts.Contexts().with_("a", HERE).with_("b", HERE).switched("c")


def test_a_token_that_has_ended_is_not_sent() -> None:
    over = replace(HERE, expires=(datetime.now(UTC) - timedelta(seconds=1)).isoformat())
    contexts.change(lambda now: now.with_("here", over).switched("here"))
    with pytest.raises(NotLoggedIn, match="has ended"):
        context()


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    contexts.change(lambda now: now.with_("here", HERE).switched("here"))
    monkeypatch.setenv("STRATAL_URL", "https://sddc.example.org")
    monkeypatch.setenv("STRATAL_TOKEN", "cd" * 16)
    assert context() == Context(url="https://sddc.example.org/sddc/v1", token="cd" * 16)


def test_a_context_does_not_show_its_token_when_it_is_printed() -> None:
    assert HERE.token not in repr(HERE)


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("sddc.example.org:6012", "http://sddc.example.org:6012/sddc/v1"),
        ("https://sddc.example.org/", "https://sddc.example.org/sddc/v1"),
        ("http://[::1]:6012/proxied/sddc/v1/", "http://[::1]:6012/proxied/sddc/v1"),
    ],
)
def test_an_address_may_leave_out_what_is_the_same_everywhere(typed: str, url: str) -> None:
    assert base_url(typed) == url


@pytest.mark.parametrize("typed", ["ftp://x", "http://", "http://x:99999", "http://a:b@x", "http://x?y=1"])
def test_what_is_no_address_is_refused(typed: str) -> None:
    with pytest.raises(BadArgument, match="is not the address of a server"):
        base_url(typed)
