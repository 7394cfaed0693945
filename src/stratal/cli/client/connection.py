"""Requests to the NeutonOS face, and its refusals as errors."""

import json
import ssl
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from stratal.cli.client.contexts import Context
from stratal.cli.client.errors import BadArgument, NotLoggedIn, Refused, Unreachable

# httpx has a command line of its own, which it offers wherever click and rich are installed. Importing that
# costs 0.2 s, more than all the rest of a command.
_modules: dict[str, Any] = sys.modules
_modules.setdefault("httpx._main", None)
import httpx  # noqa: E402

if _modules["httpx._main"] is None:
    del _modules["httpx._main"]

TOKEN_HEADER = "x-sddc-token"  # noqa: S105  the name of a header
PREFIX = "/sddc/v1"
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)


def base_url(text: str) -> str:
    """The base of all paths, from what somebody types for a server."""
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username or parts.password:
        raise BadArgument(
            reason=f"{text} is not the address of a server, such as https://sddc.example.org:6012"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or PREFIX}"


class Connection:
    """HTTP with one server, as one user. Close it, or use it as a context manager."""

    def __init__(self, context: Context, *, timeout: float | None = None) -> None:
        self.context = context
        headers = {TOKEN_HEADER: context.token} if context.token else {}
        self._http = httpx.Client(
            base_url=context.url,
            headers={"user-agent": "stratal-cli", **headers},
            timeout=_TIMEOUT if timeout is None else timeout,
            verify=_trust(context),
        )

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **parameters: object) -> Any:
        """The answer to a GET, decoded."""
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        return self._decoded(self._send("GET", path, params=given))

    def send(
        self, method: str, path: str, spec: Mapping[str, Any] | None = None, *, if_match: str | None = None
    ) -> Any:
        """The answer to a write whose body is `{"spec": spec}`; None sends no body."""
        headers = {"if-match": f'"{if_match}"'} if if_match else {}
        if spec is None:
            return self._decoded(self._send(method, path, headers=headers))
        return self._decoded(self._send(method, path, json={"spec": dict(spec)}, headers=headers))

    def upload(self, path: str, content: Iterable[bytes], headers: Mapping[str, str]) -> Any:
        """The answer to a POST that streams `content`."""
        headers = {"content-type": "application/octet-stream", **headers}
        # the server may check a whole image before it answers
        timeout = httpx.Timeout(600.0, connect=10.0)
        return self._decoded(self._send("POST", path, content=content, headers=headers, timeout=timeout))

    @contextmanager
    def download(self, path: str, headers: Mapping[str, str], **parameters: str) -> Generator[httpx.Response]:
        """The answer to a GET whose body is read as it comes."""
        try:
            with self._http.stream("GET", path, params=parameters, headers=headers) as response:
                if response.is_error:
                    response.read()
                    self._raise(response)
                yield response
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            self._raise(response)
        return response

    def _raise(self, response: httpx.Response) -> None:
        try:
            body: Any = response.json()
        except ValueError:
            body = None
        if response.status_code == 401 and not response.url.path.endswith(":login"):
            where = f" at {self.context.url}" if not self.context.token else " any more: the token has ended"
            raise NotLoggedIn(where=where)
        raise Refused(status=response.status_code, body=body)

    def _decoded(self, response: httpx.Response) -> Any:
        if not response.content:
            return None
        try:
            return json.loads(response.content)
        except ValueError as error:
            reason = "what answers there is no Stratal server"
            raise Unreachable(url=self.context.url, reason=reason) from error

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        reason = "it does not answer in time" if isinstance(error, httpx.TimeoutException) else str(error)
        return Unreachable(url=self.context.url, reason=reason or type(error).__name__)


def _trust(context: Context) -> ssl.SSLContext | bool:
    if not context.url.startswith("https:"):
        return False  # there is no certificate; and to read those of all authorities takes its time
    if context.insecure:
        return False
    try:
        return ssl.create_default_context(cafile=context.ca_file or None)
    except OSError as error:  # of which SSLError is one
        raise BadArgument(reason=f"{context.ca_file} cannot be used as an authority: {error}") from error
