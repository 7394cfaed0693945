"""A connection to a server that costs the client as little as may be: both share the machine."""

import asyncio
from dataclasses import dataclass
from typing import Self

_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    body: bytes = b""
    expect: int


class Connection:
    """One connection, kept open. One request at a time."""

    def __init__(
        self, host: str, token: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._head = f"host: {host}\r\nx-sddc-token: {token}\r\ncontent-type: application/json\r\n"
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str, token: str) -> Self:
        host, _, port = url.removeprefix("http://").partition("/")[0].partition(":")
        return cls(host, token, *await asyncio.open_connection(host, int(port)))

    async def ask(self, request: Request) -> bytes:
        """The body of the answer. Raises RuntimeError when its status is another than expected."""
        head = f"{request.method} {request.path} HTTP/1.1\r\n{self._head}content-length: {len(request.body)}"
        self._writer.write(head.encode() + _END_OF_HEAD + request.body)
        answer = (await self._reader.readuntil(_END_OF_HEAD)).lower()
        length = answer.partition(b"content-length:")[2].partition(b"\r\n")[0]
        body = await self._reader.readexactly(int(length))
        status = int(answer.split(maxsplit=2)[1])
        if status != request.expect:
            raise RuntimeError(f"{request.method} {request.path} was answered with {status}: {body[:500]!r}")
        return body

    def close(self) -> None:
        self._writer.close()
