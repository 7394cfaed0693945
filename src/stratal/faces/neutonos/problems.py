"""Errors in the dialect of this face: the one table from error class to status, and the body."""

import re
from http import HTTPStatus
from typing import Final

import msgspec

from stratal.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    StratalError,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from stratal.kernel.fields import NAME_PATTERN, NO_NUL, SLICE_ITEM_PATTERN

STATUS: Final[dict[type[StratalError], HTTPStatus]] = {
    Invalid: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    TooSlow: HTTPStatus.REQUEST_TIMEOUT,
    Conflict: HTTPStatus.CONFLICT,
    PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMedia: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    #: path of the value that is wrong, such as `spec.name`
    field: str | None = None
    #: what can be done about it
    remedy: str | None = None
    request_id: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error."""

    message: str
    code: str
    details: ProblemDetails


def status_of(error: StratalError) -> HTTPStatus:
    for class_ in type(error).__mro__:
        if class_ in STATUS:
            return STATUS[class_]
    return HTTPStatus.CONFLICT


def problem_of(error: StratalError, request_id: str) -> Problem:
    field = error.fields.get("field")
    return Problem(
        message=error.message,
        code=error.code,
        details=ProblemDetails(
            field=field if isinstance(field, str) else None,
            remedy=error.remedy or None,
            request_id=request_id,
        ),
    )


_PLACE = re.compile(r"^(?P<reason>.*?)(?: - at `(?P<place>[^`]*)`)?$", re.DOTALL)
_PATTERN_IN_REASON = re.compile(r"^Expected `str` matching regex '(?P<pattern>.*)'$", re.DOTALL)
_WORDS: Final = {
    NO_NUL: "must not contain the NUL character",
    NAME_PATTERN: "must not contain control characters",
    SLICE_ITEM_PATTERN: "must not contain a comma or the NUL character",
}
_FIELD_IN_REASON = re.compile(r"^Object (?P<what>contains unknown|missing required) field `(?P<name>[^`]*)`$")


def invalid_body(error: msgspec.DecodeError) -> Invalid:
    """What msgspec found wrong with a body, with the path of the field as a client would write it."""
    match = _PLACE.match(str(error))
    reason, place = (match["reason"], match["place"]) if match else (str(error), None)
    path = (place or "$").removeprefix("$").removeprefix(".")
    named = _FIELD_IN_REASON.match(reason)
    pattern = _PATTERN_IN_REASON.match(reason)
    if pattern:
        written = pattern["pattern"].replace("\\\\", "\\")
        reason = _WORDS.get(written, f"must match {written}")
    elif named:
        path = f"{path}.{named['name']}".removeprefix(".")
        reason = "is not a field of this request" if named["what"] == "contains unknown" else "is required"
    else:
        reason = reason[:1].lower() + reason[1:]
    return Invalid(field=path or "body", reason=reason)
