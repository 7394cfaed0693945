"""From a request to an answer: authenticate, authorise, decode, run, encode, and write down what failed.

Called by `routes` for every request of this face.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse
from structlog.contextvars import bind_contextvars, clear_contextvars

from stratal.faces.neutonos.bodies import repeated_key
from stratal.faces.neutonos.endpoint import Call, Endpoint, Incoming, Outgoing, request_type
from stratal.faces.neutonos.problems import invalid_body, problem_of, status_of
from stratal.identity import Identity, PasswordChangeRequired, authorised
from stratal.kernel.access import Access
from stratal.kernel.clock import Entropy
from stratal.kernel.database import Database
from stratal.kernel.errors import (
    Invalid,
    NotFound,
    StratalError,
    TooLarge,
    TooSlow,
    Unauthenticated,
    Unavailable,
    UnsupportedMedia,
)
from stratal.kernel.fields import INT64_MAX
from stratal.kernel.journal import AuditStatus, record_audit
from stratal.kernel.listing import ListRequest
from stratal.kernel.logs import get_logger

log = get_logger(__name__)

TOKEN_HEADER = "x-sddc-token"  # noqa: S105  the name of a header
REQUEST_ID_HEADER = "x-request-id"
_SAFE_REQUEST_ID = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")
_LIST_PARAMETERS = frozenset(ListRequest.__dataclass_fields__)
_BEFORE_A_NEW_PASSWORD = frozenset(
    [("user", "show"), ("user", "update"), ("token", "logout"), ("user", "verify-password")]
)
_OF_THE_TOKEN_ITSELF = frozenset([("token", "logout"), ("token", "reauth-in-project")])
_LONGEST_AUDIT_MESSAGE = 1000
_MOST_DRAINED_BYTES = 32 * 2**20
_LONGEST_DRAIN_SECONDS = 2.0

HttpRequest = Request[Any, Any, Any]


class RequestObserver(Protocol):
    """Who wants to know of requests: the process's metrics."""

    def observe_request(self, *, face: str, method: str, route: str, status: int, seconds: float) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The answer to a request that failed."""

    body: bytes
    status: HTTPStatus
    headers: dict[str, str]

    def response(self) -> ASGIResponse:
        return _response(self.body, self.status, self.headers)


class Dispatcher:
    """Carries requests to endpoints."""

    def __init__(
        self,
        database: Database,
        identity: Identity,
        entropy: Entropy,
        observer: RequestObserver,
        *,
        anonymous_user: str,
        max_body_bytes: int,
        body_timeout_seconds: float,
    ) -> None:
        self._database = database
        self._identity = identity
        self._entropy = entropy
        self._observer = observer
        self._anonymous_user = anonymous_user
        self._max_body_bytes = max_body_bytes
        self._body_timeout_seconds = body_timeout_seconds
        self._encoder = msgspec.json.Encoder()

    def handler(self, endpoint: Endpoint) -> Callable[[HttpRequest], Any]:
        """The function that answers requests to this endpoint."""
        decoder = msgspec.json.Decoder(request_type(endpoint.body)) if endpoint.body is not None else None

        async def handle(request: HttpRequest) -> ASGIResponse:
            started = time.perf_counter()
            request_id = self.request_id(request)
            bind_contextvars(request_id=request_id)
            try:
                response = await self._answer(request, endpoint, decoder, request_id)
            except Exception as error:
                failure = self.failure(error, request_id, request.method, request.url.path)
                if endpoint.streams_in:
                    failure.headers["connection"] = "close"
                    await _drain(request)
                response = failure.response()
            seconds = time.perf_counter() - started
            self._observer.observe_request(
                face="neutonos",
                method=endpoint.method,
                route=endpoint.path,
                status=response.status_code,
                seconds=seconds,
            )
            write = log.info if endpoint.method != "GET" else log.debug
            write(
                "request",
                method=endpoint.method,
                route=endpoint.path,
                status=response.status_code,
                milliseconds=round(seconds * 1000, 3),
            )
            clear_contextvars()
            return response

        return handle

    def request_id(self, request: HttpRequest) -> str:
        """The id that the client gave, if it is fit for headers and logs, or a new one."""
        given = request.headers.get(REQUEST_ID_HEADER, "")
        return given if _SAFE_REQUEST_ID.match(given) else self._entropy.uuid()

    def failure(self, error: Exception, request_id: str, method: str, path: str) -> "Failure":
        """What to answer to a request that failed. The text of an unexpected error stays in the log."""
        headers: dict[str, str] = {}
        if isinstance(error, HTTPException):
            status = HTTPStatus(error.status_code)
            known = _not_routed(status, method, path)
            headers = dict(error.headers or {})
        elif isinstance(error, StratalError):
            known, status = error, status_of(error)
            if isinstance(error, Unavailable):
                log.error("unavailable", reason=error.message)
            if isinstance(error, TooLarge | TooSlow):
                headers["connection"] = "close"  # what is still to come of the body is not waited for
        else:
            log.exception("unexpected_error", method=method, path=path)
            known, status = _Unexpected(), HTTPStatus.INTERNAL_SERVER_ERROR
        body = self._encoder.encode(problem_of(known, request_id))
        return Failure(body=body, status=status, headers={**_headers(request_id), **headers})

    async def _answer(
        self,
        request: HttpRequest,
        endpoint: Endpoint,
        decoder: msgspec.json.Decoder[Any] | None,
        request_id: str,
    ) -> ASGIResponse:
        token = request.headers.get(TOKEN_HEADER, "")
        access, must_change_password = await self._access(request, endpoint, token, request_id)
        try:
            if must_change_password and (endpoint.resource_type, endpoint.verb) not in _BEFORE_A_NEW_PASSWORD:
                raise PasswordChangeRequired
            if not endpoint.public:
                access = authorised(access, endpoint.resource_type, endpoint.verb, endpoint.profile)
            call = Call(
                database=self._database,
                access=access,
                ids=_ids(request),
                body=None if decoder is None else await self._body(request, decoder),
                list_request=_list_request(request, endpoint),
                if_match=_if_match(request) if endpoint.conditional else None,
                token=token,
                incoming=Incoming(
                    headers=request.headers,
                    query=dict(request.query_params),
                    body=lambda: self._arriving(request),
                ),
            )
            answer = await endpoint.run(call)
        except StratalError as error:
            await self._write_down(endpoint, access, request, error)
            raise
        if isinstance(answer, Outgoing):
            return ASGIStreamingResponse(
                iterator=answer.body,
                content_length=answer.length,
                media_type=answer.media_type,
                status_code=answer.status,
                headers={
                    "content-length": f"{answer.length}",
                    **_headers(request_id),
                    **answer.headers,
                },
            )
        body = b"" if answer is None else self._encoder.encode(answer)
        etag = getattr(getattr(answer, "spec", None), "etag", None)
        headers = _headers(request_id)
        if etag:
            headers["etag"] = f'"{etag}"'
        return _response(body, endpoint.status, headers)

    async def _access(
        self, request: HttpRequest, endpoint: Endpoint, token: str, request_id: str
    ) -> tuple[Access, bool]:
        """Who is asking, and whether they must first change their password. Raises Unauthenticated."""
        client_ip = request.client.host if request.client else ""
        if endpoint.public:
            nobody = Access(
                user_id=0,
                user_name="",
                project_id=None,
                roles=frozenset(),
                client_ip=client_ip,
                request_id=request_id,
            )
            return nobody, False
        tokens = self._identity.tokens
        who = {"client_ip": client_ip, "request_id": request_id}
        if token:
            return await self._database.read_async(
                lambda tx: tokens.authenticate(tx, token, **who), quick=True
            )
        # whoever has no token must not get one from a token that is not there
        if self._anonymous_user and (endpoint.resource_type, endpoint.verb) not in _OF_THE_TOKEN_ITSELF:
            return await self._database.read_async(
                lambda tx: tokens.anonymous(tx, self._anonymous_user, **who), quick=True
            )
        raise Unauthenticated(reason=f"the request has no {TOKEN_HEADER}")

    async def _body(self, request: HttpRequest, decoder: msgspec.json.Decoder[Any]) -> Any:
        media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media_type != "application/json" and not media_type.endswith("+json"):
            raise UnsupportedMedia(media_type=media_type)
        raw = bytearray()
        try:
            async with asyncio.timeout(self._body_timeout_seconds):
                async for chunk in request.stream():
                    raw += chunk
                    if len(raw) > self._max_body_bytes:
                        raise TooLarge(limit_bytes=self._max_body_bytes)
        except TimeoutError:
            raise TooSlow(seconds=self._body_timeout_seconds) from None
        except HTTPException:  # Litestar's way to say that the client is gone
            raise Invalid(field="body", reason="was not sent to its end") from None
        try:
            body = decoder.decode(bytes(raw) or b"{}").spec
            repeated = repeated_key(bytes(raw))
        except msgspec.DecodeError as error:
            raise invalid_body(error) from None
        except RecursionError:
            raise Invalid(field="body", reason="is nested too deeply") from None
        except UnicodeDecodeError:
            raise Invalid(field="body", reason="is not UTF-8") from None
        if repeated is not None:
            raise Invalid(field=repeated, reason="is there twice")
        return body

    async def _arriving(self, request: HttpRequest) -> AsyncIterator[bytes]:
        """The body in pieces. TooSlow when none comes for too long, Invalid when the client is gone."""
        pieces = aiter(request.stream())
        while True:
            try:
                async with asyncio.timeout(self._body_timeout_seconds):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise TooSlow(seconds=self._body_timeout_seconds) from None
            except HTTPException:
                raise Invalid(field="body", reason="was not sent to its end") from None
            yield piece

    async def _write_down(
        self, endpoint: Endpoint, access: Access, request: HttpRequest, error: StratalError
    ) -> None:
        """A refused change goes into the audit log; what the database refuses cannot."""
        if not endpoint.changes or isinstance(error, Unavailable):
            return
        try:
            id = _ids(request).get("id")
        except Invalid:
            id = None
        message = error.message.replace("\0", "\ufffd")[:_LONGEST_AUDIT_MESSAGE]  # as PostgreSQL takes it
        try:
            await self._database.write_async(
                lambda transaction: record_audit(
                    transaction,
                    access,
                    endpoint.verb,
                    resource_type=endpoint.resource_type,
                    resource_id=id,
                    status=AuditStatus.FAILED,
                    message=message,
                )
            )
        except StratalError as unwritten:  # the caller is still told why the request was refused
            log.error("refusal_not_recorded", reason=unwritten.message)


class _Unexpected(StratalError):
    code = "internal"
    template = "something went wrong here; the log has it under this request's id"
    remedy = "Report it, with the request's id."


class _NotRouted(NotFound):
    template = "there is no {path} here"
    remedy = "See the OpenAPI document for what there is."


class _WrongMethod(StratalError):
    code = "method_not_allowed"
    template = "{path} does not take {method}"
    remedy = "See the OpenAPI document for what it takes."


def _not_routed(status: HTTPStatus, method: str, path: str) -> StratalError:
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        return _WrongMethod(path=path, method=method)
    if status is HTTPStatus.NOT_FOUND:
        return _NotRouted(path=path)
    return Invalid(field="request", reason=status.phrase)


def _response(body: bytes, status: HTTPStatus, headers: dict[str, str]) -> ASGIResponse:
    return ASGIResponse(
        body=body, status_code=status, media_type="application/json" if body else None, headers=headers
    )


async def _drain(request: HttpRequest) -> None:
    """Take in a little of what a refused client still sends, so that it gets to read the answer.

    A connection that is closed with unread data in it is reset, and takes the answer with it.
    """
    left = _MOST_DRAINED_BYTES
    with suppress(TimeoutError, HTTPException):
        async with asyncio.timeout(_LONGEST_DRAIN_SECONDS):
            while left > 0:
                event = await request.receive()
                if event["type"] != "http.request" or not event.get("more_body", False):
                    return
                left -= len(event["body"])


def _headers(request_id: str) -> dict[str, str]:
    return {
        REQUEST_ID_HEADER: request_id,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }


def _ids(request: HttpRequest) -> dict[str, int]:
    ids: dict[str, int] = {}
    for name, text in request.path_params.items():
        if not (text.isascii() and text.isdecimal() and 0 < int(text[:20]) <= INT64_MAX and len(text) <= 19):
            raise Invalid(field=name, reason=f"in the path must be an integer from 1 to {INT64_MAX}")
        ids[name] = int(text)
    return ids


def _list_request(request: HttpRequest, endpoint: Endpoint) -> ListRequest:
    if not endpoint.lists:
        return ListRequest()
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in _LIST_PARAMETERS:
            raise Invalid(
                field=name or "query",
                reason=f"is not a parameter of lists: {', '.join(sorted(_LIST_PARAMETERS))}",
            )
        if name in given:
            raise Invalid(field=name, reason="is there twice")
        given[name] = value
    return ListRequest(**given)


def _if_match(request: HttpRequest) -> str | None:
    value = request.headers.get("if-match")
    return None if value is None else value.strip().removeprefix("W/").strip('"')
