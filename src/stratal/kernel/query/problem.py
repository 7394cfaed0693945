"""How the parts of this package word what is wrong with a filter. Called by all of them."""

from stratal.kernel.errors import Invalid

_SHOWN_CHARACTERS = 64


def filter_problem(position: int, reason: str) -> Invalid:
    """The error for a filter that is wrong at `position`, counted from 0; people count from 1."""
    return Invalid(field="q", reason=f"at character {position + 1}: {reason}")


def shown(text: str) -> str:
    """`text` for use in a message: quoted, unprintable characters escaped, and cut to a bearable length."""
    if len(text) > _SHOWN_CHARACTERS:
        text = text[:_SHOWN_CHARACTERS] + "…"
    return repr(text)


def is_storable(text: str) -> bool:
    """Whether every database takes `text`: PostgreSQL refuses NUL, and half a surrogate pair has no UTF-8."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
