"""The face as Litestar route handlers, one per endpoint, and its answer to what no route matches.

Called by the composition root.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from litestar import HttpMethod, MediaType, Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from stratal.faces.neutonos.dispatch import Dispatcher
from stratal.faces.neutonos.endpoint import Endpoint
from stratal.faces.neutonos.paths import canonical

PREFIX = "/sddc/v1"


def handlers(endpoints: Sequence[Endpoint], dispatcher: Dispatcher, openapi: bytes) -> list[HTTPRouteHandler]:
    """A route handler for each endpoint, and one for the OpenAPI document."""

    async def openapi_document() -> Response[bytes]:
        return Response(openapi, media_type=MediaType.JSON, status_code=HTTPStatus.OK)

    return [
        *(
            _handler(
                HttpMethod(endpoint.method),
                endpoint.path.replace("}", ":str}"),
                dispatcher.handler(endpoint),
            )
            for endpoint in endpoints
        ),
        _handler(HttpMethod.GET, "/openapi.json", openapi_document),
    ]


def exception_handler(
    dispatcher: Dispatcher,
) -> Callable[[Request[Any, Any, Any], Exception], Response[bytes]]:
    """The answer to requests that no endpoint took."""

    def handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        request_id = dispatcher.request_id(request)
        failure = dispatcher.failure(error, request_id, request.method, request.url.path)
        return Response(
            failure.body, status_code=failure.status, headers=failure.headers, media_type=MediaType.JSON
        )

    return handle


class CanonicalPaths:
    """Wraps the application: every form of a path reaches the one route of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            path = canonical(scope["path"])
            if path != scope["path"]:
                scope["path"] = path
                scope["raw_path"] = path.encode()
        await self._app(scope, receive, send)


def _handler(method: HttpMethod, path: str, function: Callable[..., Any]) -> HTTPRouteHandler:
    # the status is the response's own; Litestar wants to know that it may have a body
    declare = HTTPRouteHandler(
        PREFIX + path, http_method=method, status_code=HTTPStatus.OK, name=f"{method}:{path}"
    )
    return declare(function)
