"""Whatever the filter, both databases and a plain reading of its tree agree on the rows."""

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from query_world import DATABASES, FIELDS, Volume, assorted_volumes, each_database, holds, selected
from sqlalchemy import Engine

from stratal.kernel.errors import Invalid
from stratal.kernel.query import (
    And,
    Bound,
    Exact,
    Expression,
    Matches,
    Not,
    Null,
    OneOf,
    Or,
    Prefix,
    Term,
    Test,
    Value,
    Within,
    parse_filter,
)
from thoroughness import examples

ROWS = assorted_volumes()

TEXTS = st.sampled_from(
    [
        "",
        "a",
        "A",
        "ab",
        "a b",
        'say "a"',
        "null",
        "a%",
        "a_b",
        "a*",
        "a[b]",
        "a\\b",
        "é",
        "x\ny",
        "b",
        "prod",
        "%",
    ]
)
PLAIN_TEXTS = st.sampled_from(["a", "A", "ab", "a%", "a_", "a[", "a\\", "b", "é", "pr", "x"])
PATTERNS = st.sampled_from(
    [
        "a",
        "a.*",
        ".*",
        "",
        "[ab]+",
        r"\w+",
        r"\W*",
        "a|é",
        r"(a|b){1,2}",
        r".*\d{2}",
        r"[^a]*",
        r"a\[b\]",
        r".\s?.",
    ]
)
VALUES = {
    "spec.id": st.integers(1, 240).map(str),
    "spec.size_mb": st.sampled_from(
        ["0", "1", "5", "+10", "-3", "9223372036854775807", "-9223372036854775808"]
    ),
    "spec.ratio": st.sampled_from(["0", "0.5", "-1.25", "3", ".5", "1e0"]),
    "spec.shared": st.sampled_from(["true", "false"]),
    "spec.created_at": st.sampled_from(
        [
            "2026-01-01T00:00:00Z",
            "2026-01-01T01:00:00+01:00",
            "2026-01-01T12:30:00.000250Z",
            "2025-06-01T00:00:00Z",
        ]
    ),
    "spec.name": TEXTS,
    "spec.tags": TEXTS,
    "metadata.labels": TEXTS,
}
WITH_RANGES = {"spec.id", "spec.size_mb", "spec.ratio", "spec.created_at", "spec.name", "metadata.labels"}
WITH_PREFIXES = {"spec.name", "spec.tags", "metadata.labels"}
WITH_PATTERNS = {"spec.name", "metadata.labels"}


@st.composite
def terms(draw: st.DrawFn) -> Expression:
    name = draw(st.sampled_from(sorted(VALUES)))
    value: st.SearchStrategy[Value] = VALUES[name].map(lambda text: Exact(text=text)) | st.sampled_from(
        [Null(), Prefix(text="")]
    )
    if name in WITH_PREFIXES:
        value |= PLAIN_TEXTS.map(lambda text: Prefix(text=text))
    tests: st.SearchStrategy[Test] = st.lists(value, min_size=1, max_size=4).map(
        lambda v: OneOf(values=tuple(v))
    )
    if name in WITH_RANGES:
        bounds = st.none() | st.builds(Bound, text=VALUES[name], inclusive=st.booleans())
        tests |= st.builds(Within, low=bounds, high=bounds)
    if name in WITH_PATTERNS:
        tests |= st.builds(Matches, pattern=PATTERNS)
    return Term(field=name, test=draw(tests))


def combined(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    operands = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return (
        st.builds(And, operands=operands) | st.builds(Or, operands=operands) | st.builds(Not, operand=inner)
    )


EXPRESSIONS = st.recursive(terms(), combined, max_leaves=12)


def written(expression: Expression) -> str:
    """A text that the tree can be parsed from."""
    match expression:
        case And():
            return " AND ".join(enclosed(operand) for operand in expression.operands)
        case Or():
            return " OR ".join(enclosed(operand) for operand in expression.operands)
        case Not():
            return f"NOT {enclosed(expression.operand)}"
        case Term():
            return f"{expression.field}:{written_test(expression.test)}"


def enclosed(expression: Expression) -> str:
    return written(expression) if isinstance(expression, Term) else f"({written(expression)})"


def written_test(test: Test) -> str:
    match test:
        case OneOf():
            return f"({' '.join(written_value(value) for value in test.values)})"
        case Matches():
            return '~"' + test.pattern.replace('"', r"\"") + '"'
        case Within():
            opening = "{" if test.low and not test.low.inclusive else "["
            closing = "}" if test.high and not test.high.inclusive else "]"
            low, high = (quoted(bound.text) if bound else "*" for bound in (test.low, test.high))
            return f"{opening}{low} TO {high}{closing}"


def written_value(value: Value) -> str:
    match value:
        case Null():
            return "null"
        case Prefix():
            return f"{value.text}*"
        case Exact():
            return quoted(value.text)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


@pytest.fixture(scope="module", params=DATABASES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with each_database(request, *ROWS) as engine:
        yield engine


def meant(expression: Expression, rows: list[Volume]) -> list[int]:
    return [row.id for row in rows if holds(expression, row)]


@given(expression=EXPRESSIONS)
@settings(max_examples=examples(250), deadline=None)
def test_a_filter_selects_exactly_the_rows_that_its_tree_describes(
    engine: Engine, expression: Expression
) -> None:
    assert selected(engine, expression) == meant(expression, ROWS)


@given(expression=EXPRESSIONS)
@settings(max_examples=examples(100), deadline=None)
def test_a_filter_and_its_negation_divide_the_rows(engine: Engine, expression: Expression) -> None:
    both = selected(engine, expression) + selected(engine, Not(operand=expression))
    assert sorted(both) == [row.id for row in ROWS]


@given(expression=EXPRESSIONS)
@settings(max_examples=examples(200), deadline=None)
def test_a_tree_comes_back_from_its_text(expression: Expression) -> None:
    assert parse_filter(written(expression)) == expression


@given(
    name=st.sampled_from(sorted(FIELDS)),
    text=st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=30),
    form=st.sampled_from(
        ['{}:"{}"', '{}:~"{}"', '{}:>"{}"', '{}:["{}" TO *]', "{}:{}", "{}:{}*", "NOT {}:{}"]
    ),
)
@settings(max_examples=examples(250), deadline=None)
def test_any_value_for_any_field_runs_or_is_invalid(engine: Engine, name: str, text: str, form: str) -> None:
    with contextlib.suppress(Invalid):
        selected(engine, form.format(name, text))
