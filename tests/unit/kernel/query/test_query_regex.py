"""Regular expressions are rewritten to what RE2 and PostgreSQL share, and refused where there is nothing."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, text

from stratal.kernel.query.re2_engine import PatternError, compile_pattern
from stratal.kernel.query.regex import portable_pattern
from thoroughness import examples


def matches(pattern: str, value: str) -> bool:
    return compile_pattern(portable_pattern(pattern)).fullmatch(value.encode()) is not None


@pytest.mark.parametrize(
    ("pattern", "portable"),
    [
        ("", ""),
        ("a.c", "a.c"),
        (r"\d+", "[0-9]+"),
        (r"\w\W", "[A-Za-z0-9_][^A-Za-z0-9_]"),
        (r"[\d_]", "[0-9_]"),
        ("[[:alpha:]-]", r"[A-Za-z\-]"),
        ("[]a]", r"[\]a]"),
        ("[^]a]", r"[^\]a]"),
        ("[[]", r"[\[]"),
        ("a-b/c", r"a\-b\/c"),
        ("(a|b)", "(?:a|b)"),
        ("a*?b+?", "a*b+"),
        (r"\.\"", r'\."'),
        (r"\t", r"\t"),
        ("]", r"\]"),
        ("^a$|b", "^a$|b"),
        ("a{2,3}?", "a{2,3}"),
    ],
)
def test_a_pattern_is_written_in_the_common_syntax_and_anchored(pattern: str, portable: str) -> None:
    assert portable_pattern(pattern) == f"^(?:{portable})$"


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", r"missing \)"),
        ("a)|(b", "at its character 2: no parenthesis is open"),
        ("[a", "the bracket is never closed"),
        ("[z-a]", "invalid character class range"),
        ("*a", r"nothing for \* to repeat"),
        ("a**", r"nothing for \* to repeat"),
        ("^*", "to repeat"),
        ("(?i)a", r"only \(\?: is understood"),
        ("(?=a)", r"only \(\?: is understood"),
        ("(?P<n>a)", r"only \(\?: is understood"),
        (r"\bword\b", r"at its character 2: \\b is not understood"),
        (r"(a)\1", r"\\1 is not understood"),
        (r"\x41", "is not understood"),
        (r"\pL", "is not understood"),
        (r"[\W]", "is not understood"),
        ("a{", "has no meaning here"),
        ("a{,3}", "has no meaning here"),
        ("a{256}", "more than 255"),
        ("a{999999999999}", "more than 255"),
        ("(a{16}){16}", "more than 255"),
        ("a{2,1}", "invalid repetition|bad repetition"),
        ("[[:nope:]]", "the classes are alnum"),
        ("[[.a.]]", r"escape the \["),
        ("[[=a=]]", r"escape the \["),
        ("[a-c-e]", "a - between brackets"),
        (r"[\d-z]", "a class cannot begin a range"),
        ("a\\", "nothing follows the backslash"),
        ("a" * 513, "longer than 512"),
    ],
)
def test_a_pattern_without_a_common_form_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(PatternError, match=reason):
        portable_pattern(pattern)


def test_the_whole_value_must_match_whatever_the_alternatives() -> None:
    assert matches("a|bc", "bc")
    assert not matches("a|bc", "ab")
    assert not matches("a|bc", "abc")
    assert not matches("a", "a\n")


def test_a_dot_matches_a_line_break_as_in_postgresql() -> None:
    assert matches("a.b", "a\nb")


def test_classes_know_only_ascii_on_both_databases() -> None:
    assert not matches(r"\w", "é")
    assert not matches(r"\d", "١")
    assert matches(r"\W", "é")


@pytest.mark.timeout(10)
def test_no_pattern_takes_more_than_linear_time() -> None:
    assert not matches("(a*)*b", "a" * 100_000)


@given(st.text(alphabet="ab1()^$.*+?|{},: é\n", max_size=20), st.text(alphabet="ab1 é\n.", max_size=5))
@settings(deadline=None)
def test_a_pattern_without_classes_is_refused_or_means_what_it_means_to_python(
    pattern: str, value: str
) -> None:
    try:
        found = matches(pattern, value)
    except PatternError:
        return
    # Python's $ also matches before a last line break; its \Z does not.
    assert found == bool(re.fullmatch(pattern.replace("$", r"\Z"), value, re.DOTALL))


_PIECES = [
    *"ab1é_- \n.()|*+?^$&#日",
    r"\d",
    r"\w",
    r"\s",
    r"\D",
    r"\W",
    r"\S",
    r"\.",
    r"\n",
    r"\-",
    "[ab]",
    "[^ab]",
]
_PIECES += [
    "(?:",
    "{2}",
    "{1,3}",
    "{0,}",
    "{0}",
    "*?",
    "[[:alpha:]1]",
    "[]a]",
    "[^]a]",
    "[a-é]",
    "[.+*$]",
    r"[^\w]",
]
_TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "aab",
    "A",
    "1",
    "a1",
    "é",
    "_",
    "-",
    " ",
    "\n",
    "a\nb",
    ".",
    "日本",
    "\t",
    "]",
    "^",
    "$",
]
_TEXTS += ["\\", "\r", "\v", "١", "ａ", "ß", "\xa0", "\u2003", "abab", "a b"]


@pytest.fixture
def postgresql(postgres_server: Any) -> Iterator[Connection]:
    with postgres_server.database() as url:
        engine = create_engine(url)
        with engine.connect() as connection:
            yield connection
        engine.dispose()


@settings(
    deadline=None, max_examples=examples(500), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pattern=st.lists(st.sampled_from(_PIECES), max_size=8).map("".join))
def test_any_pattern_is_refused_or_means_the_same_to_postgresql(postgresql: Connection, pattern: str) -> None:
    try:
        portable = portable_pattern(pattern)
    except PatternError:
        return
    statement = text("SELECT value FROM unnest(CAST(:texts AS text[])) AS value WHERE value ~ :pattern")
    found = postgresql.scalars(statement, {"texts": _TEXTS, "pattern": portable})
    assert set(found) == {value for value in _TEXTS if matches(pattern, value)}


def test_the_heaviest_patterns_are_light_enough_for_postgresql(postgresql: Connection) -> None:
    postgresql.execute(text("SET statement_timeout = '20s'"))
    for pattern in (r"(.?\w?\W?){0,80}", r"(\w*\W*\s*\S*.*){0,25}", ".?" * 255, "((a?){15}){15}b", ".{255}"):
        parameters = {"text": "a" * 250, "pattern": portable_pattern(pattern)}
        postgresql.scalar(text("SELECT :text ~ :pattern"), parameters)
