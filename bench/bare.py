"""The baseline: the server's own Litestar and uvicorn, answering constants without looking at anything.

Run as `python -m bench.bare` in a process of its own by `servers`. It reads bodies, since a server must.
"""

import socket
import sys
from http import HTTPStatus

from litestar import HttpMethod, Litestar, Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from stratal.cli.serve import http_configuration, http_server
from stratal.faces.neutonos import PREFIX, CanonicalPaths
from stratal.kernel.settings import Settings

HttpRequest = Request[object, object, object]


def application(answer: bytes) -> CanonicalPaths:
    """Answers GET of rooms, and GET and PATCH of any room, with `answer`."""
    headers = {"x-request-id": "bare", "cache-control": "no-store", "x-content-type-options": "nosniff"}

    def constant(status: HTTPStatus) -> ASGIResponse:
        return ASGIResponse(body=answer, status_code=status, media_type="application/json", headers=headers)

    async def show(request: HttpRequest) -> ASGIResponse:
        return constant(HTTPStatus.OK)

    async def update(request: HttpRequest) -> ASGIResponse:
        async for _ in request.stream():
            pass
        return constant(HTTPStatus.ACCEPTED)

    many, one = f"{PREFIX}/rooms", f"{PREFIX}/rooms/{{id:str}}"
    handlers = [
        HTTPRouteHandler(many, http_method=HttpMethod.GET, status_code=HTTPStatus.OK)(show),
        HTTPRouteHandler(one, http_method=HttpMethod.GET, status_code=HTTPStatus.OK)(show),
        HTTPRouteHandler(one, http_method=HttpMethod.PATCH, status_code=HTTPStatus.OK)(update),
    ]
    app = Litestar(handlers, openapi_config=None, logging_config=None, request_max_body_size=None)
    return CanonicalPaths(app)


def main() -> None:
    """Serve what standard input holds on a free port of 127.0.0.1, whose number is printed."""
    answer = sys.stdin.buffer.read()
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    http_server(http_configuration(application(answer), Settings()), listening)


if __name__ == "__main__":
    main()
