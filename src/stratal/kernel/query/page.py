"""From the texts of `limit`, `offset` and `index` to a page. Called by services that list resources."""

from dataclasses import dataclass
from typing import Self

from stratal.kernel.errors import Invalid
from stratal.kernel.query.problem import shown
from stratal.kernel.query.values import INT64_MAXIMUM, parse_int64

MAXIMUM_LIMIT = 1000
EVERYTHING = -1
"""The limit by which the family's clients ask for all there is; they get the largest page."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Which part of a list is wanted."""

    #: Rows at most.
    limit: int = MAXIMUM_LIMIT
    #: Rows to pass over first.
    offset: int = 0

    @classmethod
    def parse(cls, *, limit: str | None = None, offset: str | None = None, index: str | None = None) -> Self:
        """The page that the parameters of a request ask for. `index` is another name for `offset`.

        Raises Invalid.
        """
        from_offset, from_index = _offset("offset", offset), _offset("index", index)
        if from_offset is not None and from_index is not None and from_offset != from_index:
            raise Invalid(
                field="index", reason=f"names another row than offset, {from_index} and {from_offset}"
            )
        return cls(limit=_limit(limit), offset=from_offset or from_index or 0)


def _limit(text: str | None) -> int:
    if text is None:
        return MAXIMUM_LIMIT
    value = parse_int64(text)
    if value == EVERYTHING:
        return MAXIMUM_LIMIT
    if value is None or not 0 <= value <= MAXIMUM_LIMIT:
        expected = f"an integer from 0 to {MAXIMUM_LIMIT}, or {EVERYTHING} for the most"
        raise Invalid(field="limit", reason=f"expected {expected}, found {shown(text)}")
    return value


def _offset(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    value = parse_int64(text)
    if value is None or value < 0:
        raise Invalid(
            field=name, reason=f"expected an integer from 0 to {INT64_MAXIMUM}, found {shown(text)}"
        )
    return value
