"""The grammar of filters and the limits on their size. Called by `parse` alone.

LALR(1) with a lexer that looks only for what may come next, because the same characters mean different
things in different places: `]` ends a range but is part of an ordinary value, as a comma separates the
values of a list but not those outside of one.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.lark import PostLex

from stratal.kernel.errors import Invalid
from stratal.kernel.query.problem import filter_problem, shown

# Lark's exceptions and the text that it parses carry no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

Result = TypeVar("Result")

MAXIMUM_NESTING = 32
"""Levels of parentheses and NOT together. Keeps every later recursion far from the interpreter's limit."""

MAXIMUM_VALUES = 256
"""Values in the whole filter; each term has at least one, so it bounds the terms as well."""

GRAMMAR = r"""
?start: any_of
?any_of: all_of (_OR all_of)*
?all_of: negatable (_AND? negatable)*
?negatable: _NOT negatable -> negation
          | _LPAR any_of _RPAR
          | term

term: FIELD test
?test: value                                    -> single
     | _LPAR item (_separator? item)* _RPAR     -> listed
     | _TILDE QUOTED                            -> regex
     | COMPARISON (WORD | QUOTED)               -> comparison
     | OPEN bound _TO bound CLOSE               -> range

?value: WORD -> unquoted
      | QUOTED -> quoted
?item: ITEM -> unquoted
     | QUOTED -> quoted
?bound: BOUND -> unquoted_bound
      | QUOTED -> quoted_bound
_separator: _COMMA | _OR

FIELD: /[^\s()":,~<>\[\]{}]+:/
QUOTED: /"(?:[^"\\]|\\.)*"/s
WORD: /[^\s()"]+/
ITEM: /[^\s()",]+/
BOUND: /[^\s()"\[\]{}]+/
COMPARISON.2: /[<>]=?/
OPEN.2: /[\[{]/
CLOSE.2: /[\]}]/
_TILDE.2: "~"
_COMMA.2: ","
_AND.2: /AND(?![^\s()"])/
_OR.2: /OR(?![^\s()",])/
_NOT.2: /NOT(?![^\s()"])/
_TO.2: /TO(?!\S)/
_LPAR: "("
_RPAR: ")"

%ignore /\s+/
"""

_EXPECTATIONS = {
    "FIELD": "a field name with a colon",
    "QUOTED": "a quoted value",
    "WORD": "a value",
    "ITEM": "a value",
    "BOUND": "a value or *",
    "COMPARISON": "a comparison",
    "OPEN": "a range",
    "CLOSE": "] or }",
    "_TILDE": "a regular expression",
    "_COMMA": "a comma",
    "_AND": "AND",
    "_OR": "OR",
    "_NOT": "NOT",
    "_TO": "TO",
    "_LPAR": "(",
    "_RPAR": ")",
    "$END": "the end",
}
"""What each terminal is called in a message."""

_VALUES = frozenset({"QUOTED", "WORD", "ITEM", "BOUND"})


class _Limits(PostLex):
    """Watches the tokens go by and stops those of a filter that is too deep or too long."""

    always_accept = ()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        values = 0
        enclosing: list[int] = []  # for each open parenthesis, itself and the NOTs right in front of it
        negations = 0
        for token in stream:
            position = token.start_pos or 0
            if token.type == "_NOT":
                negations += 1
            elif token.type == "_LPAR":
                enclosing.append(negations + 1)
                negations = 0
            elif token.type == "_RPAR" and enclosing:
                enclosing.pop()
            elif token.type == "FIELD":
                negations = 0
            elif token.type in _VALUES:
                values += 1
            if sum(enclosing) + negations > MAXIMUM_NESTING:
                raise filter_problem(position, f"nested deeper than {MAXIMUM_NESTING} levels")
            if values > MAXIMUM_VALUES:
                raise filter_problem(position, f"more than {MAXIMUM_VALUES} values")
            yield token


def build_parser(builder: Transformer[Token, Result]) -> Callable[[str], Result]:
    """A parser that calls `builder` for each rule as it is recognised, so no tree is walked afterwards.

    The parser raises Invalid for what the grammar or the limits forbid, and passes on what `builder` raises.
    """
    lark = Lark(GRAMMAR, parser="lalr", lexer="contextual", postlex=_Limits(), transformer=builder)

    def parse(text: str) -> Result:
        try:
            return cast(Result, lark.parse(text))
        except UnexpectedInput as error:
            raise _explained(error, text) from None

    return parse


def _explained(error: UnexpectedInput, text: str) -> Invalid:
    expected: set[str] = set()
    position = len(text)
    if isinstance(error, UnexpectedCharacters):
        expected = set(error.allowed or ())
        position = int(error.pos_in_stream or 0)
    elif isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        if error.token.type != "$END":
            position = int(error.token.start_pos or 0)
    if position < len(text) and text[position] == '"' and "QUOTED" in expected:
        return filter_problem(position, "this quotation mark is never closed")
    found = shown(text[position:].split()[0]) if position < len(text) else "the end"
    return filter_problem(position, f"expected {_listed(expected)}, found {found}")


def _listed(terminals: set[str]) -> str:
    names = sorted({_EXPECTATIONS[terminal] for terminal in terminals if terminal in _EXPECTATIONS})
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
