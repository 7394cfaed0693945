"""Open-loop load: requests leave by the clock, whether or not earlier ones were answered.

Latency counts from when a request was due, not from when it could be sent. A server that stalls is charged
for everything that it kept waiting (no coordinated omission).
"""

import asyncio
import time
from collections.abc import Callable

import uvloop

from bench.connection import Connection, Request

_CONNECTIONS = 16


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
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(_CONNECTIONS):
        idle.put_nowait(await Connection.open(url, token))
    latencies: list[float] = []

    async def send(due: float, wanted: Request) -> None:
        connection = await idle.get()
        await connection.ask(wanted)
        latencies.append(time.perf_counter() - due)
        idle.put_nowait(connection)

    async with asyncio.TaskGroup() as group:
        start = time.perf_counter()
        for number in range(int(rate * seconds)):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(send(due, request(number)))
    while not idle.empty():
        idle.get_nowait().close()
    return latencies
