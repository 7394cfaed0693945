"""From recognised rules of the grammar to the tree of a filter. Called by `parse`, through the parser."""

import re
from collections.abc import Callable
from typing import cast

from lark import Token, Transformer
from lark import v_args as _v_args  # pyright: ignore[reportUnknownVariableType] lark leaves it untyped

from stratal.kernel.query.expression import (
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
)
from stratal.kernel.query.problem import filter_problem

_OPERATORS = frozenset({"AND", "OR", "NOT"})
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

_children_as_arguments = cast(Callable[[type["Builder"]], type["Builder"]], _v_args(inline=True))


def _unquoted(token: Token) -> str:
    return _ESCAPE.sub(r"\1", token[1:-1])


def _position(token: Token) -> int:
    return token.start_pos or 0


def _bound(token: Token, *, inclusive: bool) -> Bound:
    position = _position(token)
    if token.type == "QUOTED":
        return Bound(text=_unquoted(token), inclusive=inclusive, position=position)
    if "*" in token:
        raise filter_problem(position, "a bound cannot hold a *; quote it if it is meant literally")
    return Bound(text=str(token), inclusive=inclusive, position=position)


@_children_as_arguments
class Builder(Transformer[Token, Expression]):
    """One method for each rule of the grammar, under the rule's name."""

    def any_of(self, *operands: Expression) -> Expression:
        return Or(operands=operands)

    def all_of(self, *operands: Expression) -> Expression:
        return And(operands=operands)

    def negation(self, operand: Expression) -> Expression:
        return Not(operand=operand)

    def term(self, name: Token, test: Test) -> Expression:
        return Term(field=str(name[:-1]), test=test, position=_position(name))

    def single(self, value: Value) -> Test:
        return OneOf(values=(value,))

    def listed(self, *values: Value) -> Test:
        return OneOf(values=values)

    def quoted(self, token: Token) -> Value:
        return Exact(text=_unquoted(token), position=_position(token))

    def unquoted(self, token: Token) -> Value:
        text, position = str(token), _position(token)
        if text == "null":
            return Null(position=position)
        if text in _OPERATORS:
            raise filter_problem(
                position, f"expected a value, found the operator {text}; quote it to find it"
            )
        wildcard = text.find("*")
        if wildcard < 0:
            return Exact(text=text, position=position)
        if wildcard < len(text) - 1:
            raise filter_problem(
                position + wildcard, "* is understood only at the end of a value; quote it, or use ~"
            )
        return Prefix(text=text[:-1], position=position)

    def regex(self, token: Token) -> Test:
        pattern = _ESCAPE.sub(lambda escape: '"' if escape[1] == '"' else escape[0], token[1:-1])
        return Matches(pattern=pattern, position=_position(token))

    def comparison(self, operator: Token, token: Token) -> Test:
        bound = _bound(token, inclusive=operator.endswith("="))
        if operator.startswith(">"):
            return Within(low=bound, high=None)
        return Within(low=None, high=bound)

    def quoted_bound(self, token: Token) -> Token:
        return token

    def unquoted_bound(self, token: Token) -> Token | None:
        return None if token == "*" else token  # noqa: S105 the star of a range, not a password

    def range(self, opening: Token, low: Token | None, high: Token | None, closing: Token) -> Test:
        return Within(
            low=None if low is None else _bound(low, inclusive=opening == "["),
            high=None if high is None else _bound(high, inclusive=closing == "]"),
        )
