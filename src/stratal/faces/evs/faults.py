"""Refusals in the words of the three APIs: one table from error classes, and one writer for each dialect."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

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
from stratal.storage.block.limits import LimitReached
from stratal.storage.bs_volume.quota import Overcommitted, QuotaExceeded

_STATUS: Final[dict[type[StratalError], int]] = {
    QuotaExceeded: 413,
    Overcommitted: 413,
    LimitReached: 413,
    Invalid: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    PreconditionFailed: 412,
    TooLarge: 413,
    TooSlow: 408,
    UnsupportedMedia: 415,
    Unavailable: 503,
}
_NAMES: Final = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    501: "notImplemented",
    503: "serviceUnavailable",
}
_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    413: "Request Entity Too Large",
    503: "Service Unavailable",
}
#: what Huawei answers where nothing more is known than the status
_HUAWEI: Final = {
    400: "EVS.5400",
    401: "EVS.5401",
    403: "EVS.5403",
    404: "EVS.5404",
    413: "EVS.5413",
    503: "EVS.5503",
}
#: by the way a refusal was put: the verb that a status forbade, the field that was wrong
_HUAWEI_VERBS: Final = {
    ("snapshot", "delete"): "EVS.1047",
    ("snapshot", "revert"): "EVS.2043",
    ("snapshot", "clone"): "EVS.2043",
    ("volume", "delete"): "EVS.1046",
    ("volume", "extend"): "EVS.1064",
}
_HUAWEI_FIELDS: Final = {
    "name": "EVS.1003",
    "description": "EVS.1004",
    "size": "EVS.1010",
    "new_size": "EVS.1015",
    "volume_id": "EVS.1002",
    "snapshot_id": "EVS.2045",
    "volume_type": "EVS.1020",
    "availability_zone": "EVS.1036",
    "limit": "EVS.1023",
    "volume": "EVS.1016",
}
_WORDS: Final = {
    "bs_volume": "Volume",
    "bs_snap": "Snapshot",
    "bs_policy": "Volume type",
    "vm_image": "Image",
}
UNEXPECTED: Final = "The server has either erred or is incapable of performing the requested operation."


class Fault(Exception):
    """A refusal that this face words itself."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.message = message
        #: Huawei's code, where it is a particular one
        self.code = code
        self.headers = dict(headers or {})
        super().__init__(message)


def bad_request(message: str, *, code: str | None = None) -> Fault:
    return Fault(400, message, code=code)


def not_found(what: str, uuid: str) -> Fault:
    return Fault(404, f"{what} {uuid:.255} could not be found.")


_PLACE = re.compile(r"^(?P<reason>.*?)(?: - at `\$?\.?(?P<place>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<name>.*)`$")
_MISSING = re.compile(r"^Object missing required field `(?P<name>.*)`$")


def bad_value(key: str, value: Any, error: msgspec.ValidationError) -> Fault:
    """What msgspec found wrong with `value`, the member `key` of the body, in Cinder's words."""
    match = _PLACE.match(str(error))
    reason, place = (match["reason"], match["place"]) if match else (str(error), None)
    if unknown := _UNKNOWN.match(reason):
        reason = f"Additional properties are not allowed ('{unknown['name']}' was unexpected)"
    elif missing := _MISSING.match(reason):
        reason = f"'{missing['name']}' is a required property"
    at, found = key, value
    for step in (place or "").replace("[...]", "").split("."):
        if isinstance(found, dict) and step in found:
            at, found = step, found[step]  # pyright: ignore[reportUnknownVariableType]
    return Fault(
        400,
        f"Invalid input for field/attribute {at}. Value: {found!s:.200}. {reason}",
        code=_HUAWEI_FIELDS.get(at),
    )


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What will be said, whatever the dialect."""

    status: int
    message: str
    code: str | None
    headers: Mapping[str, str]


def refusal_of(error: Exception, *, conflict: int, uuids: Mapping[int, str]) -> Refusal | None:
    """What to say about an error; None for one that nobody expected."""
    if isinstance(error, Fault):
        return Refusal(status=error.status, message=error.message, code=error.code, headers=error.headers)
    if not isinstance(error, StratalError):
        return None
    status = next((_STATUS[each] for each in type(error).__mro__ if each in _STATUS), conflict)
    return Refusal(
        status=status, message=_message(error, uuids), code=_huawei_code(error, status), headers={}
    )


def cinder(refusal: Refusal) -> dict[str, Any]:
    """The body of a refusal as Block Storage writes it."""
    name = _NAMES.get(refusal.status, "computeFault")
    body: dict[str, Any] = {"code": refusal.status, "message": refusal.message}
    if refusal.status == 413:
        body["retryAfter"] = "0"
    return {name: body}


def keystone(refusal: Refusal) -> dict[str, Any]:
    """The body of a refusal as Identity writes it."""
    title = _TITLES.get(refusal.status, "Error")
    return {"error": {"code": refusal.status, "title": title, "message": refusal.message}}


def huawei(refusal: Refusal) -> dict[str, Any]:
    """The body of a refusal as Huawei's documents have it."""
    code = refusal.code or _HUAWEI.get(refusal.status, "EVS.5500")
    return {"error": {"code": code, "message": refusal.message}}


def glance(refusal: Refusal) -> dict[str, Any]:
    """The body of a refusal as the Image service writes it for who takes JSON."""
    title = _TITLES.get(refusal.status, "Error")
    return {"code": f"{refusal.status} {title}", "title": title, "message": refusal.message}


def _message(error: StratalError, uuids: Mapping[int, str]) -> str:
    fields = error.fields
    match error:
        case QuotaExceeded():
            wanted, quota, used = (int(str(fields[name])) for name in ("wanted_mb", "quota_mb", "used_mb"))
            return (
                "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes "
                f"quota. Requested {-(-wanted // 1024)}G, quota is {quota // 1024}G and "
                f"{-(-used // 1024)}G has been consumed."
            )
        case LimitReached():
            what = str(fields["what"])
            if what in ("volumes", "snapshots"):
                name = what[:-1].capitalize()
                return f"{name}LimitExceeded: Maximum number of {what} allowed ({fields['limit']}) exceeded."
            return f"OverQuota: {error.message}"
        case NotFound():
            id = fields.get("id")
            shown = uuids.get(id, str(id)) if isinstance(id, int) else str(id)
            word = _WORDS.get(str(fields.get("kind")), str(fields.get("kind")).replace("_", " ").capitalize())
            return f"{word} {shown} could not be found."
        case Invalid():
            return f"Invalid input received: {error.message}"
        case Conflict() if error.code == "wrong_status":
            what = str(fields["what"])
            return (
                f"Invalid {what}: {what.capitalize()} {fields['uuid']} status must be {fields['allowed']} to "
                f"{fields['verb']}, but the status is {fields['status']}."
            )
        case _:
            return error.message


def _huawei_code(error: StratalError, status: int) -> str | None:
    match error:
        case QuotaExceeded() | Overcommitted():
            return "EVS.1042"
        case LimitReached():
            return "EVS.1034"
        case Conflict() if error.code == "wrong_status":
            return _HUAWEI_VERBS.get((str(error.fields["what"]), str(error.fields["verb"])))
        case Invalid():
            return _HUAWEI_FIELDS.get(str(error.fields.get("field")))
        case _:
            return _HUAWEI.get(status)
