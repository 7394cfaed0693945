"""The text of a filter becomes the right tree, or an error that helps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    Value,
    Within,
    parse_filter,
)


def any_of(name: str, *values: str | Value) -> Term:
    exact = tuple(Exact(text=value) if isinstance(value, str) else value for value in values)
    return Term(field=name, test=OneOf(values=exact))


A, B, C, D = (any_of(name, "1") for name in "abcd")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("foo", "foo"),
        ('"foo bar"', "foo bar"),
        (r'"say \"hi\""', 'say "hi"'),
        (r'"back\\slash"', "back\\slash"),
        (r'"\n"', "n"),
        ('""', ""),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("a,b", "a,b"),
        ("back\\slash", "back\\slash"),
        ("a]b}", "a]b}"),
        ("=5", "=5"),
        ("TO", "TO"),
        ("ANDROID", "ANDROID"),
        ("and", "and"),
        ('"AND"', "AND"),
        ('"null"', "null"),
        ('"foo*"', "foo*"),
        ("日本", "日本"),
    ],
)
def test_a_value_is_taken_as_it_is_written(text: str, value: str) -> None:
    assert parse_filter(f"spec.name:{text}") == any_of("spec.name", value)


@pytest.mark.parametrize("text", ["(1 2 3)", "(1,2,3)", "( 1, 2 ,3 )", "(1 OR 2 OR 3)", '("1" 2,3)'])
def test_a_list_is_any_of_its_values_however_they_are_separated(text: str) -> None:
    assert parse_filter(f"spec.id:{text}") == any_of("spec.id", "1", "2", "3")


def test_null_stands_for_no_value_alone_and_in_a_list() -> None:
    assert parse_filter("spec.x:null") == any_of("spec.x", Null())
    assert parse_filter("spec.x:(1 null)") == any_of("spec.x", "1", Null())


def test_a_star_at_the_end_asks_for_a_beginning() -> None:
    assert parse_filter("spec.name:foo*") == any_of("spec.name", Prefix(text="foo"))
    assert parse_filter("spec.name:*") == any_of("spec.name", Prefix(text=""))


def test_in_a_regular_expression_only_a_quotation_mark_is_unescaped() -> None:
    assert parse_filter(r'spec.name:~".*\d\"\\1.*"') == Term(
        field="spec.name", test=Matches(pattern=r'.*\d"\\1.*')
    )


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("[10 TO 20]", Bound(text="10", inclusive=True), Bound(text="20", inclusive=True)),
        ("{10 TO 20]", Bound(text="10", inclusive=False), Bound(text="20", inclusive=True)),
        ("{10 TO *}", Bound(text="10", inclusive=False), None),
        ("[* TO 20}", None, Bound(text="20", inclusive=False)),
        ("[* TO *]", None, None),
        ('["a b" TO "c"]', Bound(text="a b", inclusive=True), Bound(text="c", inclusive=True)),
        ("[TO TO TO]", Bound(text="TO", inclusive=True), Bound(text="TO", inclusive=True)),
        (">5", Bound(text="5", inclusive=False), None),
        (">=5", Bound(text="5", inclusive=True), None),
        ("<5", None, Bound(text="5", inclusive=False)),
        ("<=5", None, Bound(text="5", inclusive=True)),
        ('>"5 6"', Bound(text="5 6", inclusive=False), None),
        (
            "[2026-01-01T00:00:00Z TO 2026-02-01T00:00:00+08:00]",
            Bound(text="2026-01-01T00:00:00Z", inclusive=True),
            Bound(text="2026-02-01T00:00:00+08:00", inclusive=True),
        ),
    ],
)
def test_ranges_and_comparisons_have_bounds(text: str, low: Bound | None, high: Bound | None) -> None:
    assert parse_filter(f"spec.size_mb:{text}") == Term(field="spec.size_mb", test=Within(low=low, high=high))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("((a:1) AND (b:1))", And(operands=(A, B))),
        ("a:1 b:1", And(operands=(A, B))),
        ("a:1 AND b:1 c:1", And(operands=(A, B, C))),
        ("a:1 OR b:1 AND c:1", Or(operands=(A, And(operands=(B, C))))),
        ("a:1 b:1 OR c:1 d:1", Or(operands=(And(operands=(A, B)), And(operands=(C, D))))),
        ("(a:1 OR b:1) AND c:1", And(operands=(Or(operands=(A, B)), C))),
        ("NOT a:1 AND b:1", And(operands=(Not(operand=A), B))),
        ("NOT (a:1 OR b:1)", Not(operand=Or(operands=(A, B)))),
        ("NOT NOT a:1", Not(operand=Not(operand=A))),
        ("a:1 NOT b:1", And(operands=(A, Not(operand=B)))),
        ("a:1\n\tAND(b:1)", And(operands=(A, B))),
        ("a: 1", A),
    ],
)
def test_not_binds_tighter_than_and_and_and_tighter_than_or(text: str, tree: Expression) -> None:
    assert parse_filter(text) == tree


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_a_blank_filter_lets_everything_through(text: str) -> None:
    assert parse_filter(text) == And(operands=())


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("spec.name", 1, "expected (, NOT or a field name with a colon, found 'spec.name'"),
        ("a:1 AND", 8, "expected (, NOT or a field name with a colon, found the end"),
        ("AND a:1", 1, "found 'AND'"),
        ("a:1)", 4, "expected the end, found ')'"),
        ("(a:1", 5, "found the end"),
        ("a:()", 4, "expected a quoted value or a value"),
        ("a:", 3, "found the end"),
        ('a:"open', 3, "this quotation mark is never closed"),
        ("a:[1 TO 2", 10, "expected ] or }, found the end"),
        ("a:[1 2]", 6, "expected TO"),
        ("a:[1* TO 2]", 4, "a bound cannot hold a *"),
        ("a:~foo", 4, "expected a quoted value"),
        ("a:f*o", 4, "* is understood only at the end of a value"),
        ("a:NOT", 3, "found the operator NOT"),
        ("a:(1 AND 2)", 6, "found the operator AND"),
        ("a:foo(bar)", 7, "found 'bar)'"),
        ('a:"b" "c"', 7, "found '\"c\"'"),
        ("a:1 xyz", 5, "found 'xyz'"),
    ],
)
def test_an_error_says_where_it_is_and_what_was_expected(text: str, position: int, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_filter(text)
    assert caught.value.fields["field"] == "q"
    assert caught.value.message.startswith(f"q: at character {position}: ")
    assert reason in caught.value.message


@pytest.mark.parametrize(
    ("most", "too_much", "reason"),
    [
        ("a:" + "x" * 4094, "a:" + "x" * 4095, "longer than 4096 characters"),
        ("(" * 32 + "a:1" + ")" * 32, "(" * 33 + "a:1" + ")" * 33, "nested deeper than 32 levels"),
        ("NOT " * 32 + "a:1", "NOT " * 33 + "a:1", "nested deeper than 32 levels"),
        (
            "NOT (" * 16 + "a:1" + ")" * 16,
            "NOT (" * 16 + "NOT a:1" + ")" * 16,
            "nested deeper than 32 levels",
        ),
        ("NOT a:1 " * 64, "NOT (" * 500, "nested deeper than 32 levels"),
        ("a:(" + "1 " * 256 + ")", "a:(" + "1 " * 257 + ")", "more than 256 values"),
        ("a:1 " * 256, "a:1 " * 257, "more than 256 values"),
    ],
)
def test_limits_are_exact(most: str, too_much: str, reason: str) -> None:
    parse_filter(most)
    with pytest.raises(Invalid, match=reason):
        parse_filter(too_much)


@pytest.mark.parametrize("text", ["a:\0", 'a:"\0"', "a:\ud800", "\udfff:1"])
def test_characters_that_no_database_stores_are_refused(text: str) -> None:
    with pytest.raises(Invalid, match="NUL character or half of a surrogate pair"):
        parse_filter(text)


_PIECES = [
    "a:",
    "spec.name:",
    "1",
    "foo*",
    "*",
    '"',
    '"x y"',
    "\\",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    " TO ",
    " AND ",
]
_PIECES += [
    " OR ",
    " NOT ",
    "NOT",
    "null",
    "~",
    ">",
    "<=",
    ",",
    " ",
    "\n",
    ":",
    "é",
    "\0",
    "\ud800",
    "AND",
    "OR",
]


def parses_or_is_invalid(text: str) -> None:
    try:
        parse_filter(text)
    except Invalid as error:
        error.message.encode()


@given(st.text(alphabet=st.characters(), max_size=200))
@settings(deadline=None)
def test_any_text_parses_or_is_invalid(text: str) -> None:
    parses_or_is_invalid(text)


@given(st.lists(st.sampled_from(_PIECES), max_size=60).map("".join))
@settings(deadline=None)
def test_any_sequence_of_the_languages_pieces_parses_or_is_invalid(text: str) -> None:
    parses_or_is_invalid(text)


@pytest.mark.parametrize("piece", _PIECES)
def test_any_piece_repeated_without_end_parses_or_is_invalid(piece: str) -> None:
    parses_or_is_invalid(piece * 5000)
    parses_or_is_invalid((piece * 4096)[:4096])
