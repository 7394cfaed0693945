"""Open-loop load: requests leave by the clock, whether or not earlier ones were answered.

Latency counts from when a request was due, not from when it could be sent. A server that stalls is charged
for everything that it kept waiting (no coordinated omission).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import uvloop

_END_OF_HEAD = b"\r\n\r\n"
_CONNECTIONS = 16


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    body: bytes
    expect: int


def run(
    url: str, *, token: str, rate: float, seconds: float, request: Callable[[int], Request]
) -> list[float]:
    """Send the requests `request(0)`, `request(1)`… at `rate` per second. Returns their latencies in seconds.

    Raises RuntimeError when an answer has another status than expected.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(url, token, rate, seconds, request))


async def _run(
    url: str, token: str, rate: float, seconds: float, request: Callable[[int], Request]
) -> list[float]:
    host, _, port = url.removeprefix("http://").partition(":")
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(_CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection(host, int(port)))
    latencies: list[float] = []

    async def send(due: float, wanted: Request) -> None:
        reader, writer = await idle.get()
        writer.write(_encoded(host, token, wanted))
        status = await _status_of_answer(reader)
        latencies.append(time.perf_counter() - due)
        idle.put_nowait((reader, writer))
        if status != wanted.expect:
            raise RuntimeError(f"{wanted.method} {wanted.path} was answered with {status}")

    async with asyncio.TaskGroup() as group:
        start = time.perf_counter()
        for number in range(int(rate * seconds)):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(send(due, request(number)))
    while not idle.empty():
        idle.get_nowait()[1].close()
    return latencies


def _encoded(host: str, token: str, request: Request) -> bytes:
    head = (
        f"{request.method} {request.path} HTTP/1.1\r\nhost: {host}\r\nx-sddc-token: {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(request.body)}\r\n\r\n"
    )
    return head.encode() + request.body


async def _status_of_answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(_END_OF_HEAD)).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head.split(maxsplit=2)[1])
