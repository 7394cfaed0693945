"""A compiled filter selects the rows it describes, on a real SQLite and a real PostgreSQL."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from query_world import DATABASES, FIELDS, Volume, database, each_database, selected
from sqlalchemy import Engine

from stratal.kernel.errors import Invalid
from stratal.kernel.query import Exact, OneOf, Term, compile_filter, parse_filter

ROWS = [
    Volume(id=1, name="root", size_mb=10, ratio=0.5, shared=True, tags="ssd,fast", labels=["prod", "eu"]),
    Volume(id=2, name="Root", size_mb=20, ratio=1.5, shared=False, tags="hdd", labels=["test"]),
    Volume(
        id=3, name="data 100%", size_mb=2**62, created_at=datetime(2026, 1, 1, tzinfo=UTC), tags="fast_ssd"
    ),
    Volume(id=4, name="data_100", created_at=datetime(2026, 3, 1, 8, 0, tzinfo=UTC), labels=["prod", None]),
    Volume(id=5, tags=""),
    Volume(id=6, name="vm*[1]?", size_mb=-1, labels=[None]),
]


@pytest.fixture(scope="module", params=DATABASES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with each_database(request, *ROWS) as engine:
        yield engine


@pytest.mark.parametrize(
    ("q", "ids"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("spec.name:root", [1]),
        ('spec.name:"data 100%"', [3]),
        ("spec.name:(root Root)", [1, 2]),
        ("spec.id:(1 2 3)", [1, 2, 3]),
        ("spec.id:007", []),
        ("spec.size_mb:4611686018427387904", [3]),
        ("spec.size_mb:[10 TO 20]", [1, 2]),
        ("spec.size_mb:{10 TO 20]", [2]),
        ("spec.size_mb:{10 TO *}", [2, 3]),
        ("spec.size_mb:[* TO *]", [1, 2, 3, 6]),
        ("spec.size_mb:<=10", [1, 6]),
        ("spec.ratio:>0.5", [2]),
        ("spec.ratio:5e-1", [1]),
        ("spec.shared:true", [1]),
        ("spec.shared:False", [2]),
        ("spec.created_at:2026-01-01T00:00:00Z", [3]),
        ("spec.created_at:2026-01-01", [3]),
        ("spec.created_at:2026-01-01T08:00:00+08:00", [3]),
        ("spec.created_at:2026-01-01T08:00:00", []),
        ("spec.created_at:>2026-01-01T00:00:00Z", [4]),
        ("spec.name:data*", [3, 4]),
        ("spec.name:DATA*", []),
        ('spec.name:~"data.*"', [3, 4]),
        ('spec.name:~".*1.*"', [3, 4, 6]),
        ('spec.name:~"data"', []),
        ('spec.name:~"root|data_100"', [1, 4]),
        ('spec.name:~"vm\\*\\[\\d\\]\\?"', [6]),
        ("spec.name:null", [5]),
        ("spec.name:*", [1, 2, 3, 4, 6]),
        ("spec.name:(root null)", [1, 5]),
        ("spec.tags:ssd", [1]),
        ("spec.tags:fast", [1]),
        ("spec.tags:SSD", []),
        ("spec.tags:fast*", [1, 3]),
        ("spec.tags:(hdd ssd)", [1, 2]),
        ('spec.tags:""', [5]),
        ("spec.tags:fast?ssd", []),
        ("metadata.labels:prod", [1, 4]),
        ("metadata.labels:prod AND metadata.labels:eu", [1]),
        ("metadata.labels:p*", [1, 4]),
        ("metadata.labels:null", [3, 5, 6]),
        ("metadata.labels:*", [1, 2, 4]),
        ("((spec.shared:true) AND (spec.size_mb:10))", [1]),
        ("spec.shared:true OR spec.size_mb:20", [1, 2]),
    ],
)
def test_a_filter_selects_what_it_describes(engine: Engine, q: str, ids: list[int]) -> None:
    assert selected(engine, q) == ids


@pytest.mark.parametrize(
    ("q", "ids"),
    [
        ("NOT spec.size_mb:10", [2, 3, 4, 5, 6]),
        ("NOT spec.size_mb:(10 20)", [3, 4, 5, 6]),
        ("NOT spec.size_mb:(10 null)", [2, 3, 6]),
        ("NOT spec.size_mb:null", [1, 2, 3, 6]),
        ("NOT spec.size_mb:*", [4, 5]),
        ("NOT spec.size_mb:>10", [1, 4, 5, 6]),
        ('NOT spec.name:~"data.*"', [1, 2, 5, 6]),
        ("NOT spec.name:data*", [1, 2, 5, 6]),
        ("NOT spec.tags:fast", [2, 3, 4, 5, 6]),
        ("NOT (spec.size_mb:10 AND spec.shared:true)", [2, 3, 4, 5, 6]),
        ("NOT (spec.size_mb:10 OR spec.shared:false)", [3, 4, 5, 6]),
        ("NOT (spec.size_mb:10 OR NOT spec.shared:false)", [2]),
        ("NOT NOT spec.size_mb:10", [1]),
        ("NOT metadata.labels:prod", [2, 3, 5, 6]),
        ("NOT metadata.labels:(prod null)", [2]),
        ("NOT metadata.labels:null", [1, 2, 4]),
    ],
)
def test_a_missing_value_equals_nothing_so_its_negation_holds(engine: Engine, q: str, ids: list[int]) -> None:
    assert selected(engine, q) == ids


@pytest.mark.parametrize(
    ("q", "reason"),
    [
        ("spec.nam:1", "q: at character 1: there is no field 'spec.nam'; did you mean spec.name"),
        ("zzz:1", "there is no field 'zzz'"),
        ("spec.size_mb:big", "at character 14: 'spec.size_mb': expected a 64-bit integer, found 'big'"),
        ("spec.size_mb:9223372036854775808", "expected a 64-bit integer"),
        ("spec.size_mb:" + "9" * 4000, "expected a 64-bit integer"),
        ("spec.size_mb:1_0", "expected a 64-bit integer"),
        ("spec.size_mb:١", "expected a 64-bit integer"),
        ("spec.size_mb:1.5", "expected a 64-bit integer"),
        ("spec.size_mb:1*", "a * needs a text field"),
        ("spec.ratio:nan", "expected a number"),
        ("spec.ratio:1e999", "expected a number"),
        ("spec.shared:1", "expected true or false"),
        ("spec.shared:>false", "a range needs a number, a time or text"),
        ("spec.tags:[a TO b]", "a range needs a number, a time or text"),
        ("spec.tags:a,b", "expected text without commas"),
        ("spec.created_at:yesterday", "expected an ISO 8601 time"),
        ("spec.created_at:9999-12-31T23:59:59-08:00", "expected an ISO 8601 time"),
        ('spec.size_mb:~"1"', "a regular expression needs a text field"),
        ('spec.tags:~"a"', "a regular expression needs a text field"),
        ('spec.name:~"a("', "is not usable"),
        ('NOT (spec.name:x OR spec.name:~"(?=a)")', "at character 32"),
    ],
)
def test_a_filter_that_the_fields_do_not_bear_is_invalid(q: str, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        compile_filter(parse_filter(q), FIELDS)
    assert caught.value.fields["field"] == "q"
    assert reason in caught.value.message


def test_a_tree_that_was_not_parsed_may_hold_no_nul_either() -> None:
    with pytest.raises(Invalid):
        compile_filter(Term(field="spec.name", test=OneOf(values=(Exact(text="a\0"),))), FIELDS)


def _nested(levels: int, innermost: str) -> str:
    q = innermost
    for level in range(levels):
        q = f"(spec.id:{level} OR spec.size_mb:{level} AND {q})"
    return q


def _balanced(levels: int, leaf: str) -> str:
    if levels == 0:
        return leaf
    half = _balanced(levels - 1, leaf)
    return f"({half} OR spec.id:1 AND {half})"


@pytest.mark.parametrize(
    "q",
    [
        _nested(32, "spec.id:1"),
        _nested(30, "NOT metadata.labels:(a b* null)"),
        _nested(24, _balanced(5, "NOT spec.name:(a b*)")),
        _nested(24, _balanced(6, "spec.id:1")),
        "NOT (" * 16 + "spec.id:1" + ") AND NOT spec.size_mb:1" * 16,
        "NOT spec.size_mb:1 OR " * 100 + "spec.id:1",
        "spec.name:(" + "a* " * 256 + ")",
        "spec.tags:(" + "a " * 256 + ")",
    ],
)
def test_the_largest_filters_run_even_on_a_stack_that_is_half_used(q: str) -> None:
    """SQLite's parser has a stack of 100 places, Python's of 1000 frames, of which a server uses some."""
    # Without a cache each statement goes through the whole of SQLAlchemy's compiler.
    with database(*ROWS, cached_statements=0) as engine:

        def deeper(frames: int) -> list[int]:
            return deeper(frames - 1) if frames else selected(engine, q)

        deeper(400)
