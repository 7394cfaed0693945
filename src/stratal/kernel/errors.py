"""Errors a user can act on. Each face maps the classes to its own dialect in one table.

An error is a class with a stable `code`, a message made from its own fields, and a `remedy`: what the
user can do about it. Anything else that is raised is a defect, and a face answers 500 without its text.
"""

from typing import ClassVar


class StratalError(Exception):
    """Base of every error that may reach a user.

    Subclasses set `code`, `template` and, where there is one, `remedy`; the keyword arguments of the
    constructor fill the template and stay readable as attributes of `fields`.
    """

    code: ClassVar[str] = "error"
    template: ClassVar[str] = "{reason}"
    remedy: ClassVar[str] = ""

    def __init__(self, **fields: object) -> None:
        self.fields = fields
        super().__init__(self.template.format(**fields))

    @property
    def message(self) -> str:
        return str(self)


class Invalid(StratalError):
    """The request can never succeed as it stands. `field` is the path of the offending value."""

    code = "invalid"
    template = "{field}: {reason}"
    remedy = "Correct the named field and send the request again."


class Unauthenticated(StratalError):
    """Nobody, or nobody known, is asking."""

    code = "unauthenticated"
    template = "{reason}"
    remedy = "Log in, and send the token with the request."


class Forbidden(StratalError):
    """The caller is known and may see the kind, but may not do this."""

    code = "forbidden"
    template = "your role may not {verb} {kind}"
    remedy = "Ask an administrator for a role that may."


class NotFound(StratalError):
    """There is no such resource, or the caller must not know that there is."""

    code = "not_found"
    template = "there is no {kind} {id}"
    remedy = "List the resources to see which ones there are."


class Conflict(StratalError):
    """The request is sound, but the state of the world forbids it now."""

    code = "conflict"
    template = "{reason}"
    remedy = "Change the state that stands in the way, or wait, and try again."


class PreconditionFailed(StratalError):
    """The resource changed since the caller last read it (If-Match)."""

    code = "precondition_failed"
    template = "{kind} {id} changed: its etag is now {etag}"
    remedy = "Read the resource again and repeat the change on what you find."


class TooLarge(StratalError):
    """A request body over its limit."""

    code = "too_large"
    template = "the request body is larger than {limit_bytes} bytes"
    remedy = "Send less in one request."


class Unavailable(StratalError):
    """Something Stratal leans on does not work right now; nothing was changed."""

    code = "unavailable"
    template = "{reason}"
    remedy = "Nothing was changed. Try again when the cause is removed."


class TooSlow(StratalError):
    """A request body that did not arrive in time."""

    code = "too_slow"
    template = "the request did not arrive within {seconds} seconds"
    remedy = "Send the request again over a connection that is quick enough."


class UnsupportedMedia(StratalError):
    """A request body of a type that is not read here."""

    code = "unsupported_media"
    template = "a body of the type {media_type} is not understood here"
    remedy = "Send application/json."
