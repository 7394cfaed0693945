"""The tree that a filter is parsed into. Pure data: built by `parse`, read by `compile`.

A filter is a term, or `And`, `Or` and `Not` over filters. A term asks one thing of one field. Values are
still text here: what they mean depends on the field's type, which only `compile` knows. Positions count
characters from 0, serve error messages alone, and take no part in comparisons.
"""

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Exact:
    """The field equals this value."""

    text: str
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """The field begins with this text. The empty prefix (`*`) asks that the field has any value at all."""

    text: str
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class Null:
    """The field has no value."""

    position: int = dataclasses.field(default=0, compare=False)


Value = Exact | Prefix | Null


@dataclass(frozen=True, kw_only=True)
class OneOf:
    """Any of the values holds. Never empty."""

    values: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True)
class Matches:
    """The whole value matches the regular expression."""

    pattern: str
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class Bound:
    """One end of a range."""

    text: str
    inclusive: bool
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class Within:
    """The value lies between the bounds; None leaves that side open."""

    low: Bound | None
    high: Bound | None


Test = OneOf | Matches | Within


@dataclass(frozen=True, kw_only=True)
class Term:
    """One test of one field."""

    field: str
    test: Test
    position: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class And:
    """All operands hold. Without operands it holds for everything: the filter that was not given."""

    operands: tuple["Expression", ...]


@dataclass(frozen=True, kw_only=True)
class Or:
    """At least one operand holds."""

    operands: tuple["Expression", ...]


@dataclass(frozen=True, kw_only=True)
class Not:
    """The operand does not hold, be it that the field has another value or none."""

    operand: "Expression"


Expression = And | Or | Not | Term
