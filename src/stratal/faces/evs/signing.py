"""Signatures of requests by access keys, as Huawei's SDKs make them: SDK-HMAC-SHA256. Pure.

The algorithm is the published one: a canonical form of the request is hashed, and the hash is signed with
the secret itself. Everything is computed over what arrived, byte for byte, and compared in constant time.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote

ALGORITHM: Final = "SDK-HMAC-SHA256"
WINDOW: Final = timedelta(minutes=15)
"""How far the time of a signature may be from ours: later, somebody replays it."""

_AUTHORIZATION: Final = re.compile(
    r"^SDK-HMAC-SHA256 Access=(?P<access>[A-Za-z0-9]{1,128}), ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;_.-]{1,4096}), ?Signature=(?P<signature>[0-9a-f]{64})$"
)
#: without these, a signature would hold for another server or for ever
_NEEDED: Final = frozenset({"host", "x-sdk-date"})


class BadSignature(Exception):
    """The signature is none, is not right, or is not of now. The text may be shown."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What an Authorization header says."""

    access: str
    headers: tuple[str, ...]
    digest: str


@dataclass(frozen=True, kw_only=True)
class SignedRequest:
    """A request as it arrived. Names of headers are lower case."""

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    body: bytes


def parse(authorization: str) -> Signature:
    """Raises BadSignature."""
    match = _AUTHORIZATION.match(authorization)
    if match is None:
        raise BadSignature("the Authorization header cannot be read")
    return Signature(
        access=match["access"], headers=tuple(match["headers"].split(";")), digest=match["signature"]
    )


def check(request: SignedRequest, signature: Signature, secret: str, *, now: datetime) -> None:
    """Raises BadSignature unless it was made with this secret, of this request, about now."""
    if not set(signature.headers) >= _NEEDED:
        raise BadSignature("host and x-sdk-date must be among the signed headers")
    if list(signature.headers) != sorted(signature.headers):
        raise BadSignature("the signed headers must be sorted")
    date = request.headers.get("x-sdk-date", "")
    try:
        signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise BadSignature("X-Sdk-Date must be a time such as 20260131T235959Z") from None
    if abs(now - signed_at) > WINDOW:
        raise BadSignature("the signature has expired: the clocks differ by more than 15 minutes")
    if not hmac.compare_digest(sign(request, signature.headers, secret), signature.digest):
        raise BadSignature("verify aksk signature fail")


def expiry(date: str) -> datetime:
    """When a signature with this date, which `check` found good, is refused for its age."""
    return datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) + WINDOW


def sign(request: SignedRequest, headers: Iterable[str], secret: str) -> str:
    """The signature of a request with these headers, in hexadecimal."""
    date = request.headers.get("x-sdk-date", "")
    hashed = hashlib.sha256(canonical(request, headers).encode()).hexdigest()
    text = f"{ALGORITHM}\n{date}\n{hashed}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def canonical(request: SignedRequest, headers: Iterable[str]) -> str:
    """The one form of a request that client and server both arrive at."""
    names = list(headers)
    lines = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in names)
    return "\n".join(
        (
            request.method.upper(),
            _path(request.raw_path),
            _query(request.raw_query),
            lines,
            ";".join(names),
            # also where a client says that it signed no body: then anybody could put in another
            hashlib.sha256(request.body).hexdigest(),
        )
    )


def _path(raw: str) -> str:
    path = "/".join(quote(part, safe="~") for part in unquote(raw).split("/"))
    return path if path.endswith("/") else path + "/"


def _query(raw: str) -> str:
    pairs = [part.partition("=") for part in raw.split("&") if part]
    decoded = sorted((unquote(name), unquote(value)) for name, _, value in pairs)
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in decoded)
