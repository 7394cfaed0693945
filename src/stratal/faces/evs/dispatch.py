"""From a request to an answer: read, authenticate, authorise, run, encode. Called by `face` each time."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse
from litestar.response.streaming import ASGIStreamingResponse
from structlog.contextvars import bind_contextvars, clear_contextvars

from stratal.faces.evs import faults, microversions
from stratal.faces.evs.authentication import (
    TOKEN_HEADER,
    Authentication,
    is_repeatable,
    is_signed,
    unauthenticated,
)
from stratal.faces.evs.call import OLDEST, Action, Call, Dialect, Endpoint, Microversion, Mode, Reply
from stratal.faces.evs.faults import Fault, bad_request
from stratal.faces.evs.services import RequestObserver, Services
from stratal.faces.evs.signing import SignedRequest
from stratal.faces.neutonos.bodies import repeated_key
from stratal.identity import authorised
from stratal.kernel.access import Access
from stratal.kernel.errors import StratalError, TooLarge, TooSlow, Unavailable
from stratal.kernel.journal import AuditStatus, record_audit
from stratal.kernel.logs import get_logger
from stratal.kernel.transaction import Transaction

log = get_logger(__name__)

PROJECT_IN_PATH: Final = "stratal_project"
_ETAG_SINCE: Final[Microversion] = (3, 15)
_LONGEST_AUDIT_MESSAGE: Final = 1000
_NO_SUCH_PAGE: Final = (
    b"<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n"
    b"  The resource could not be found.<br /><br />\n </body>\n</html>"
)
_WRITERS: Final[Mapping[Dialect, Callable[[faults.Refusal], dict[str, Any]]]] = {
    Dialect.CINDER: faults.cinder,
    Dialect.KEYSTONE: faults.keystone,
    Dialect.HUAWEI: faults.huawei,
    Dialect.GLANCE: faults.glance,
}

HttpRequest = Request[Any, Any, Any]


class Dispatcher:
    """Carries requests to endpoints."""

    def __init__(self, services: Services, observer: RequestObserver) -> None:
        self._services = services
        self._observer = observer
        self._authentication = Authentication(services)
        self._encoder = msgspec.json.Encoder()

    def handler(self, endpoint: Endpoint) -> Callable[[HttpRequest], Any]:
        """The function that answers requests to this endpoint."""

        async def handle(request: HttpRequest) -> ASGIResponse:
            started = time.perf_counter()
            request_id = f"req-{self._services.database.entropy.uuid()}"
            bind_contextvars(request_id=request_id)
            call: Call | None = None
            access: Access | None = None
            try:
                raw = await self._body(request)
                access = await self._access(request, endpoint, raw, request_id)
                call = self._call(request, endpoint, raw, access)
                response = self._response(call, endpoint, await self._run(call, endpoint), request_id)
            except Exception as error:
                await self._write_down(endpoint, call, access, error)
                response = self._failure(request, endpoint, call, error, request_id)
            seconds = time.perf_counter() - started
            self._observer.observe_request(
                face="evs",
                method=endpoint.method,
                route=endpoint.path,
                status=response.status_code,
                seconds=seconds,
            )
            write = log.info if endpoint.changes else log.debug
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

    def no_such_page(self, status: int) -> ASGIResponse:
        """The answer to a path that is not served: HTML, as from the originals' routers."""
        return ASGIResponse(body=_NO_SUCH_PAGE, status_code=status, media_type="text/html", headers={})

    # -- understanding -------------------------------------------------------------------------------

    async def _access(self, request: HttpRequest, endpoint: Endpoint, raw: bytes, request_id: str) -> Access:
        client_ip = request.client.host if request.client else ""
        if endpoint.public:
            return Access(
                user_id=0,
                user_name="",
                project_id=None,
                roles=frozenset(),
                client_ip=client_ip,
                request_id=request_id,
            )
        project = _project(request)
        if project is None and (endpoint.documented or endpoint.dialect is Dialect.HUAWEI):
            raise Fault(404, "The resource could not be found.")
        token = request.headers.get(TOKEN_HEADER, "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        who = {"client_ip": client_ip, "request_id": request_id}
        if not token and not is_signed(headers):
            raise unauthenticated(self._base(request))
        signed = SignedRequest(
            method=request.method,
            raw_path=request.scope["stratal_raw_path"],  # type: ignore[typeddict-item]
            raw_query=request.scope["query_string"].decode("latin-1"),
            headers=headers,
            body=raw,
        )

        def find(transaction: Transaction) -> Access:
            if not token:
                return self._authentication.by_signature(transaction, signed, project=project, **who)
            base = self._base(request)
            access = self._authentication.by_token(transaction, token, base=base, **who)
            if project is not None:
                self._authentication.check_project(transaction, access, project)
            return access

        access = await self._services.database.read_async(find, quick=True)
        if not token and endpoint.writes and not (endpoint.repeatable and is_repeatable(signed)):
            # before anything is done, and whatever comes of it: a refused request is not to be had later
            await self._services.database.write_async(lambda tx: self._authentication.use_up(tx, signed))
        return access

    def _call(self, request: HttpRequest, endpoint: Endpoint, raw: bytes, access: Access) -> Call:
        version = OLDEST
        if endpoint.dialect is Dialect.CINDER and not endpoint.public:
            version = microversions.requested(request.headers.get(microversions.HEADER))
            if version < endpoint.since:
                raise Fault(404, "The resource could not be found.")
        return Call(
            services=self._services,
            access=access,
            token=request.headers.get(TOKEN_HEADER, ""),
            base=self._base(request),
            path=request.scope["stratal_raw_path"],  # type: ignore[typeddict-item]
            parts=dict(request.path_params),
            query=list(request.query_params.multi_items()),
            headers=request.headers,
            body=_decoded(raw) if endpoint.changes and raw else None,
            microversion=version,
            project=_project(request),
        )

    def _base(self, request: HttpRequest) -> str:
        if self._services.public_url:
            return self._services.public_url
        return f"{request.scope['scheme']}://{request.headers.get('host', '')}"

    async def _body(self, request: HttpRequest) -> bytes:
        limit = self._services.max_body_bytes
        raw = bytearray()
        try:
            async with asyncio.timeout(self._services.body_timeout_seconds):
                async for chunk in request.stream():
                    raw += chunk
                    if len(raw) > limit:
                        raise TooLarge(limit_bytes=limit)
        except TimeoutError:
            raise TooSlow(seconds=self._services.body_timeout_seconds) from None
        except HTTPException:  # Litestar's way to say that the client is gone
            raise bad_request("Malformed request body") from None
        return bytes(raw)

    # -- running -------------------------------------------------------------------------------------

    async def _run(self, call: Call, endpoint: Endpoint) -> Any:
        if endpoint.actions is not None:
            return await self._act(call, endpoint, endpoint.actions)
        run = endpoint.run
        if run is None:
            raise TypeError(f"{endpoint.path} has nothing to run")
        if not endpoint.public:
            call.access = authorised(call.access, endpoint.kind, endpoint.verb, endpoint.profile)
        database = self._services.database
        match endpoint.mode:
            case Mode.READ:
                return await database.read_async(lambda tx: run(tx, call))
            case Mode.GLANCE:
                return await database.read_async(lambda tx: run(tx, call), quick=True)
            case Mode.WRITE:
                return await database.write_async(lambda tx: run(tx, call))
            case Mode.THREAD:
                return await asyncio.to_thread(run, call)

    async def _act(self, call: Call, endpoint: Endpoint, actions: Mapping[str, Action]) -> Any:
        if len(call.object) != 1:
            raise bad_request("Malformed request body")
        [(name, arguments)] = call.object.items()
        action = actions.get(name)
        if action is None:
            raise bad_request(
                f"There is no such action: {name:.64}. Verify the request body and Content-Type header "
                "and try again."
            )
        if call.microversion < action.since:
            raise Fault(404, "The resource could not be found.")
        call.access = authorised(call.access, endpoint.kind, action.verb, action.profile)
        try:
            answer = await self._services.database.write_async(lambda tx: action.run(tx, call, arguments))
        except StratalError as error:
            refusal = faults.refusal_of(error, conflict=action.conflict, uuids=call.uuids)
            if refusal is None:
                raise
            raise Fault(refusal.status, refusal.message, code=refusal.code) from error
        return answer if isinstance(answer, Reply) else Reply(body=answer, status=action.status)

    # -- answering -----------------------------------------------------------------------------------

    def _response(self, call: Call, endpoint: Endpoint, answer: Any, request_id: str) -> ASGIResponse:
        reply = answer if isinstance(answer, Reply) else Reply(body=answer)
        body = b"" if reply.body is None else self._encoder.encode(reply.body)
        headers = {**_headers(request_id), **reply.headers}
        if endpoint.dialect is Dialect.CINDER and not endpoint.public:
            headers |= _version_headers(call.microversion)
            if endpoint.method == "GET" and call.microversion >= _ETAG_SINCE:
                headers["etag"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if endpoint.method == "HEAD":
            body = b""
        if reply.stream is not None:
            return ASGIStreamingResponse(
                iterator=reply.stream,
                status_code=endpoint.status,
                media_type="application/octet-stream",
                headers=headers,
            )
        return ASGIResponse(
            body=body,
            status_code=reply.status or endpoint.status,
            media_type="application/json" if body else None,
            headers=headers,
        )

    def _failure(
        self,
        request: HttpRequest,
        endpoint: Endpoint,
        call: Call | None,
        error: Exception,
        request_id: str,
    ) -> ASGIResponse:
        uuids = call.uuids if call is not None else {}
        refusal = faults.refusal_of(error, conflict=endpoint.conflict, uuids=uuids)
        if isinstance(error, Unavailable):
            log.error("unavailable", reason=error.message)
        if refusal is None:
            log.exception("unexpected_error", method=endpoint.method, path=endpoint.path)
            refusal = faults.Refusal(status=500, message=faults.UNEXPECTED, code=None, headers={})
        if refusal.status == 401 and endpoint.dialect is Dialect.CINDER and refusal.code is None:
            body = faults.keystone(refusal)  # as from keystonemiddleware, which stands before Cinder
        elif refusal.code == "APIGW.0301":
            body = {"error_code": refusal.code, "error_msg": refusal.message, "request_id": request_id}
        else:
            body = _WRITERS[endpoint.dialect](refusal)
            if endpoint.dialect is Dialect.CINDER and _project(request) is not None:
                body |= faults.huawei(refusal)  # what Huawei's document says of the path with a project
        headers = {**_headers(request_id), **refusal.headers}
        if refusal.status == 413:
            headers["retry-after"] = "0"
        if isinstance(error, TooLarge | TooSlow):
            headers["connection"] = "close"
        if endpoint.dialect is Dialect.CINDER and call is not None:
            headers |= _version_headers(call.microversion)
        encoded = b"" if endpoint.method == "HEAD" else self._encoder.encode(body)
        return ASGIResponse(
            body=encoded, status_code=refusal.status, media_type="application/json", headers=headers
        )

    async def _write_down(
        self, endpoint: Endpoint, call: Call | None, access: Access | None, error: Exception
    ) -> None:
        """A refused change goes into the audit log; what the database refuses cannot."""
        refusal = faults.refusal_of(error, conflict=endpoint.conflict, uuids=call.uuids if call else {})
        if not endpoint.changes or access is None or refusal is None or isinstance(error, Unavailable):
            return
        message = refusal.message.replace("\0", "\ufffd")[:_LONGEST_AUDIT_MESSAGE]
        try:
            await self._services.database.write_async(
                lambda transaction: record_audit(
                    transaction,
                    access,
                    endpoint.verb,
                    resource_type=endpoint.kind,
                    status=AuditStatus.FAILED,
                    message=message,
                )
            )
        except StratalError as unwritten:
            log.error("refusal_not_recorded", reason=unwritten.message)


def _decoded(raw: bytes) -> Any:
    try:
        body, repeated = msgspec.json.decode(raw), repeated_key(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise bad_request("Malformed request body") from None
    if repeated is not None:
        raise bad_request(f"Malformed request body: {repeated:.80} is there twice")
    return body


def _project(request: HttpRequest) -> str | None:
    return request.scope.get(PROJECT_IN_PATH)  # type: ignore[return-value]


def _headers(request_id: str) -> dict[str, str]:
    return {
        "x-openstack-request-id": request_id,
        "x-compute-request-id": request_id,
        "x-request-id": request_id,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }


def _version_headers(version: Microversion) -> dict[str, str]:
    return {
        "openstack-api-version": f"volume {microversions.shown(version)}",
        "vary": "OpenStack-API-Version",
    }
