"""From the tree of a filter to the WHERE of a statement. Called by services, between parsing and selecting.

A filter knows two truths where SQL knows three: a field without a value does not equal anything, and the
negation of that is true. In a WHERE an unknown predicate is as good as a false one until something negates
it. So NOT is moved inwards, down to the terms, and only a negated term spells out what NULL means; a term
that is not negated stays bare, and an index on its column usable.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, false, literal, not_, or_, true

from stratal.kernel.errors import Invalid
from stratal.kernel.query.dialect import RegexMatch, TextMatch
from stratal.kernel.query.expression import (
    And,
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
)
from stratal.kernel.query.fields import QueryField, ValueType, unknown_field
from stratal.kernel.query.problem import filter_problem, is_storable, shown
from stratal.kernel.query.re2_engine import PatternError
from stratal.kernel.query.regex import portable_pattern
from stratal.kernel.query.values import EXPECTED, PythonValue, bound_type, parse_value

Predicate = ColumnElement[bool]

_ORDERED = frozenset({ValueType.INTEGER, ValueType.NUMBER, ValueType.TEXT, ValueType.TIME})


def compile_filter(expression: Expression, fields: Mapping[str, QueryField]) -> Predicate:
    """The predicate that selects the rows for which `expression` holds. All values are bound parameters.

    It is for a WHERE: for the other rows it is false or unknown. To negate a filter, negate its tree.
    Raises Invalid for an unknown field, a value that is not of the field's type, and a test that the type
    does not have.
    """
    return _compile(expression, fields, negated=False)


def _compile(expression: Expression, fields: Mapping[str, QueryField], *, negated: bool) -> Predicate:
    match expression:
        case Not():
            return _compile(expression.operand, fields, negated=not negated)
        case Term():
            return _TermCompiler(term=expression, field=_field(expression, fields)).predicate(negated=negated)
        case And() | Or():
            heaviest_first = sorted(expression.operands, key=_parser_stack, reverse=True)
            operands = [_compile(operand, fields, negated=negated) for operand in heaviest_first]
            # De Morgan: a negated AND is the OR of its negated operands.
            if isinstance(expression, And) != negated:
                return and_(true(), *operands)
            return or_(false(), *operands)


def _parser_stack(expression: Expression) -> int:
    """How deep `expression` fills the stack of a parser that reads its SQL.

    SQLite's has 100 places. A parenthesis takes one, and so do the operands before it and their operators,
    until it is closed. With the heaviest operand first, which has nothing before it, nesting costs little.
    """
    match expression:
        case Term():
            return 0
        case Not():
            return _parser_stack(expression.operand)
        case And() | Or():
            first, *others = sorted(map(_parser_stack, expression.operands), reverse=True) or [0]
            return max([first + 1, *(other + 3 for other in others)])


def _field(term: Term, fields: Mapping[str, QueryField]) -> QueryField:
    field = fields.get(term.field)
    if field is None:
        raise filter_problem(term.position, unknown_field(term.field, fields))
    return field


@dataclass(frozen=True, kw_only=True)
class _TermCompiler:
    """One term and the field it is about."""

    term: Term
    field: QueryField

    def predicate(self, *, negated: bool) -> Predicate:
        match self.term.test:
            case OneOf() as test:
                return self.one_of(test.values, negated=negated)
            case Matches() as test:
                return self.settled(self.matches(test), negated=negated)
            case Within(low=None, high=None):
                return self.present(negated=negated)
            case Within() as test:
                return self.settled(self.within(test), negated=negated)

    def present(self, *, negated: bool) -> Predicate:
        """The field has a value. Never unknown, so that its negation is its opposite."""
        present = self.field.column.is_not(None)
        found = present if self.field.exists is None else self.field.exists(present)
        return not_(found) if negated else found

    def settled(self, predicate: Predicate, *, negated: bool) -> Predicate:
        """`predicate`, unknown only for a NULL column, or its two-valued negation."""
        field = self.field
        if field.exists is not None:
            found = field.exists(predicate)
            return not_(found) if negated else found
        if not negated:
            return predicate
        return or_(field.column.is_(None), not_(predicate)) if field.nullable else not_(predicate)

    def one_of(self, values: tuple[Value, ...], *, negated: bool) -> Predicate:
        alternatives: list[Predicate] = []
        # A related table's rows say together whether there is a value, so null stays out of the EXISTS.
        if any(isinstance(value, Null) for value in values):
            alternatives.append(self.present(negated=not negated))
        if any(isinstance(value, Prefix) and not value.text for value in values):
            alternatives.append(self.present(negated=negated))
        if hits := self.hits(values):
            alternatives.append(self.settled(or_(false(), *hits), negated=negated))
        return and_(true(), *alternatives) if negated else or_(false(), *alternatives)

    def hits(self, values: tuple[Value, ...]) -> list[Predicate]:
        """The predicates of the values other than `null` and `*`."""
        column, value_type = self.field.column, self.field.value_type
        hits: list[Predicate] = []
        exact: list[PythonValue] = []
        for value in values:
            match value:
                case Null() | Prefix(text=""):
                    pass
                case Prefix():
                    hits.append(self.prefix(value))
                case _ if value_type is ValueType.TEXT_LIST:
                    item = self.parsed(value.text, value.position)
                    hits.append(TextMatch(_enclosed(column), f",{item},", anywhere=True))
                case _:
                    exact.append(self.parsed(value.text, value.position))
        if len(exact) == 1:
            hits.append(column == literal(exact[0], bound_type(self.field)))
        elif exact:
            hits.append(column.in_(bindparam(None, exact, type_=bound_type(self.field), expanding=True)))
        return hits

    def prefix(self, value: Prefix) -> Predicate:
        match self.field.value_type:
            case ValueType.TEXT:
                return TextMatch(self.field.column, value.text, anywhere=False)
            case ValueType.TEXT_LIST:
                text = self.parsed(value.text, value.position)
                return TextMatch(_enclosed(self.field.column), f",{text}", anywhere=True)
            case other:
                raise self.problem(value.position, f"a * needs a text field, this one is {EXPECTED[other]}")

    def matches(self, test: Matches) -> Predicate:
        if self.field.value_type is not ValueType.TEXT:
            raise self.problem(test.position, "a regular expression needs a text field")
        try:
            return RegexMatch(self.field.column, portable_pattern(test.pattern))
        except PatternError as error:
            reason = f"the regular expression {shown(test.pattern)} is not usable: {error}"
            raise self.problem(test.position, reason) from None

    def within(self, test: Within) -> Predicate:
        column = self.field.column
        if self.field.value_type not in _ORDERED:
            raise self.problem(self.term.position, "a range needs a number, a time or text")
        ends: list[Predicate] = []
        if test.low is not None:
            low = self.bound(test.low.text, test.low.position)
            ends.append(column >= low if test.low.inclusive else column > low)
        if test.high is not None:
            high = self.bound(test.high.text, test.high.position)
            ends.append(column <= high if test.high.inclusive else column < high)
        return and_(true(), *ends)

    def bound(self, text: str, position: int) -> BindParameter[PythonValue]:
        return literal(self.parsed(text, position), bound_type(self.field))

    def parsed(self, text: str, position: int) -> PythonValue:
        value = parse_value(text, self.field.value_type) if is_storable(text) else None
        if value is None:
            raise self.problem(position, f"expected {EXPECTED[self.field.value_type]}, found {shown(text)}")
        return value

    def problem(self, position: int, reason: str) -> Invalid:
        return filter_problem(position, f"{shown(self.term.field)}: {reason}")


def _enclosed(column: ColumnElement[str]) -> ColumnElement[str]:
    """A joined list with a comma at both ends, so that every item stands between two."""
    comma = literal(",")
    return comma.concat(column).concat(comma)
