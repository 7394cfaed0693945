"""The face as an ASGI application before another one: it takes the paths that are its own.

Called by the composition root. Block Storage and EVS are at the root, as their clients want it, Identity
under `/identity`, images under `/image`; nothing of it can be mistaken for a path of another face.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from litestar import HttpMethod, Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from stratal.faces.evs.call import Endpoint
from stratal.faces.evs.dispatch import PROJECT_IN_PATH, Dispatcher
from stratal.faces.evs.index import ENDPOINTS
from stratal.faces.evs.services import RequestObserver, Services
from stratal.kernel.logs import get_logger

log = get_logger(__name__)

_OWN: Final = re.compile(r"^/((identity|image)(/.*)?|(v1|v2|v2\.1|v3|v5)(/.*)?)?$")
_WITH_PROJECT: Final = re.compile(
    r"^/(?P<version>v1|v2|v2\.1|v3|v5)/(?P<project>[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"(?P<rest>/.*)$"
)


class Face:
    """Answers what is this face's, and hands the rest on."""

    def __init__(self, services: Services, observer: RequestObserver, others: ASGIApp) -> None:
        self._others = others
        dispatcher = Dispatcher(services, observer)
        self._app = Litestar(
            [_handler(endpoint, dispatcher) for endpoint in ENDPOINTS],
            exception_handlers={Exception: _not_served(dispatcher)},
            openapi_config=None,
            logging_config=None,
            request_max_body_size=None,  # the dispatcher counts, and answers in the face's dialect
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _OWN.match(scope["path"]):
            await self._others(scope, receive, send)
            return
        raw = scope.get("raw_path") or scope["path"].encode()
        scope["stratal_raw_path"] = raw.decode("latin-1")  # type: ignore[typeddict-unknown-key]
        match = _WITH_PROJECT.match(scope["path"])
        if match is not None:
            scope[PROJECT_IN_PATH] = match["project"]  # type: ignore[literal-required]
            scope["path"] = f"/{match['version']}{match['rest']}"
            scope["raw_path"] = scope["path"].encode()
        await self._app(scope, receive, send)


def _handler(endpoint: Endpoint, dispatcher: Dispatcher) -> HTTPRouteHandler:
    declare = HTTPRouteHandler(
        endpoint.path.replace("}", ":str}"),
        http_method=HttpMethod(endpoint.method),
        status_code=HTTPStatus.OK,
        name=f"{endpoint.method}:{endpoint.path}",
    )
    return declare(dispatcher.handler(endpoint))


def _not_served(dispatcher: Dispatcher) -> Any:
    def handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        if not isinstance(error, HTTPException):
            log.exception("unexpected_error", method=request.method, path=request.url.path)
        status = (
            HTTPStatus.NOT_FOUND if isinstance(error, HTTPException) else HTTPStatus.INTERNAL_SERVER_ERROR
        )
        page = dispatcher.no_such_page(status)
        return Response(page.body, status_code=status, media_type="text/html")

    return handle


def endpoints() -> Sequence[Endpoint]:
    """All that is served."""
    return ENDPOINTS
