"""Issue 5's speed: snapshots and lists through the EVS face, beside the same through the NeutonOS face.

Both faces ask one server, in turns. A snapshot counts from its request until a GET says that it can be used,
on simulated storage over 16 connections, and one at a time on qcow2. The list is also compared with a bare
handler that answers the very same bytes.
"""

import asyncio
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import uvloop
from tests.running_server import RunningServer, running_server

from bench.databases import Rooms
from bench.evs_faces import EVS, NATIVE, POLL_SECONDS, VOLUMES, Connection, Face, evs, logged_in, native, root
from bench.machine import cpu_seconds
from bench.options import Options, Outcome
from bench.results import Row, at_least, under
from bench.servers import BARE, bare

SUMMARY = "the EVS face: snapshots from request to available, and lists of 1,000 volumes with detail"

_CONNECTIONS = 16
_AT_ONCE = 100
_MOST_ADDED = 1.2
_OPERATIONS_PER_SECOND_OF_OPTION = 5

_Figures = dict[tuple[str, str], list[float]]


def run(options: Options) -> Outcome:
    with (
        tempfile.TemporaryDirectory(prefix="stratal-bench-") as name,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        rows = runner.run(_simulated(Path(name) / "simulated", options))
        rows += runner.run(_on_qcow2(Path(name) / "qcow2", options))
    remarks = [
        f"On simulated storage each of {_CONNECTIONS} connections makes snapshots of a volume of its own, "
        f"and asks every {POLL_SECONDS * 1000:.0f} ms whether one is available; on qcow2 one connection "
        "asks without a pause. The ratio is to the NeutonOS face, and that of the list to the bare handler."
    ]
    return Outcome(rows=rows, remarks=remarks)


# -- on simulated storage ---------------------------------------------------------------------------------


async def _simulated(directory: Path, options: Options) -> list[Row]:
    figures: _Figures = defaultdict(list)
    with ExitStack() as stack:
        settings = {"STRATAL_SIMULATE": "true"}
        server = stack.enter_context(running_server(directory, environment=settings))
        faces = [native(server), evs(server)]
        options.progress(f"making {VOLUMES} volumes")
        await _fill(server)
        first = await faces[1].connect()
        _, page = await first.ask("GET", faces[1].list_path)
        first.close()
        rooms = Rooms(first=1, count=1, first_data_center=1, data_centers=1)
        baseline = stack.enter_context(bare(page, rooms))
        for turn in range(options.rounds + 1):
            options.progress(f"simulated: round {turn} of {options.rounds}" if turn else "warming up")
            found: _Figures = defaultdict(list) if turn == 0 else figures
            await _list_round(BARE, baseline.url, "", "/sddc/v1/rooms/1", baseline.pid, options, found)
            for face in faces:
                pid = server.process.pid
                await _list_round(face.name, root(server), face.headers, face.list_path, pid, options, found)
                await _rate_round(face, options.seconds, found)
    return [*_rate_rows(figures), *_list_rows(figures, len(page))]


async def _fill(server: RunningServer) -> None:
    """Volumes as users have them: named, with metadata, in batches."""
    token, project = logged_in(server)
    connection = await Connection.open(root(server), f"x-auth-token: {token}\r\n")
    try:
        for batch in range(VOLUMES // _AT_ONCE):
            volume = {
                "size": 1,
                "name": f"disk-{batch}",
                "count": _AT_ONCE,
                "metadata": {"of": "bench"},
                "availability_zone": "nova",
                "volume_type": "default",
            }
            await connection.call(202, "POST", f"/v2.1/{project}/cloudvolumes", {"volume": volume})
        path = f"/v2/{project}/cloudvolumes/detail?limit=1&status=available"
        while (await connection.call(200, "GET", path))["count"] < VOLUMES:
            time.sleep(0.2)  # noqa: ASYNC251  nothing else runs meanwhile
    finally:
        connection.close()


async def _rate_round(face: Face, seconds: float, figures: _Figures) -> None:
    connections = [await face.connect() for _ in range(_CONNECTIONS)]
    volumes = [await face.volume(connection) for connection in connections]
    times: list[float] = []
    ending = time.perf_counter() + seconds

    async def work(connection: Connection, volume: str) -> None:
        while (started := time.perf_counter()) < ending:
            _, path = await face.snapshot(connection, volume)
            await face.until_done(connection, path, POLL_SECONDS)
            times.append(time.perf_counter() - started)

    spent, started = cpu_seconds(face.server.process.pid), time.perf_counter()
    await asyncio.gather(*map(work, connections, volumes))
    taken = time.perf_counter() - started
    figures["rate", face.name].append(len(times) / taken)
    figures["rate p50", face.name].append(statistics.median(times) * 1000)
    used = cpu_seconds(face.server.process.pid) - spent
    figures["rate cpu", face.name].append(used / len(times) * 1000)
    for connection in connections:
        connection.close()


async def _list_round(
    name: str, url: str, headers: str, path: str, pid: int, options: Options, figures: _Figures
) -> None:
    connection = await Connection.open(url, headers)
    times: list[float] = []
    ending, spent = time.perf_counter() + options.seconds, cpu_seconds(pid)
    while time.perf_counter() < ending or not times:
        started = time.perf_counter()
        status, _ = await connection.ask("GET", path)
        times.append(time.perf_counter() - started)
        if status != 200:
            raise RuntimeError(f"{path} was answered with {status}")
    figures["list", name].append(statistics.median(times) * 1000)
    figures["list cpu", name].append((cpu_seconds(pid) - spent) / len(times) * 1000)
    connection.close()


def _rate_rows(figures: _Figures) -> list[Row]:
    def median(figure: str, face: str) -> float:
        return statistics.median(figures[figure, face])

    return [
        Row(
            name=f"snapshot to available, {_CONNECTIONS} connections, simulated",
            subject=face,
            measured=median("rate", face),
            unit="/s",
            target=at_least(100) if face == EVS else None,
            ratio=median("rate", face) / median("rate", NATIVE) if face == EVS else None,
            note=f"p50 {median('rate p50', face):.0f} ms; {median('rate cpu', face):.1f} ms of CPU each",
        )
        for face in (NATIVE, EVS)
    ]


def _list_rows(figures: _Figures, length: int) -> list[Row]:
    def median(figure: str, face: str) -> float:
        return statistics.median(figures[figure, face])

    return [
        Row(
            name=f"list of {VOLUMES} volumes with detail",
            subject=subject,
            measured=median("list", subject),
            unit="ms",
            target=under(100) if subject == EVS else None,
            ratio=median("list", subject) / median("list", BARE) if subject == EVS else None,
            note=f"{median('list cpu', subject):.1f} ms of CPU each; {length // 1024} KiB",
        )
        if subject != NATIVE
        else Row(
            name=f"list of {VOLUMES} volumes",
            subject=subject,
            measured=median("list", subject),
            unit="ms",
            note=f"{median('list cpu', subject):.1f} ms of CPU each",
        )
        for subject in (BARE, NATIVE, EVS)
    ]


# -- on qcow2 ---------------------------------------------------------------------------------------------

_VERBS = ("snapshot", "revert", "extend", "deletion of a snapshot")


async def _on_qcow2(directory: Path, options: Options) -> list[Row]:
    figures: _Figures = defaultdict(list)
    turns = max(3, round(options.seconds * _OPERATIONS_PER_SECOND_OF_OPTION)) * options.rounds
    with running_server(directory) as server:
        faces = [native(server), evs(server)]
        connections = [await face.connect() for face in faces]
        volumes = [await face.volume(each) for face, each in zip(faces, connections, strict=True)]
        for turn in range(turns + 2):
            options.progress(f"qcow2: {turn} of {turns}")
            found: _Figures = defaultdict(list) if turn < 2 else figures
            order = (0, 1) if turn % 2 else (1, 0)
            for index in order:
                await _each_verb(faces[index], connections[index], volumes[index], 2 + turn, found)
        for connection in connections:
            connection.close()
    return [
        Row(
            name=f"{verb}, request to done, qcow2",
            subject=face,
            measured=statistics.median(figures[verb, face]),
            unit="ms",
            target=under(_MOST_ADDED * statistics.median(figures[verb, NATIVE])) if face == EVS else None,
            ratio=(
                statistics.median(figures[verb, face]) / statistics.median(figures[verb, NATIVE])
                if face == EVS
                else None
            ),
        )
        for verb in _VERBS
        for face in (NATIVE, EVS)
    ]


async def _each_verb(
    face: Face, connection: Connection, volume: str, size_gb: int, figures: _Figures
) -> None:
    async def timed(verb: str, work: Awaitable[Any]) -> Any:
        started = time.perf_counter()
        done = await work
        figures[verb, face.name].append((time.perf_counter() - started) * 1000)
        return done

    async def snapshot() -> str:
        id, path = await face.snapshot(connection, volume)
        await face.until_done(connection, path)
        return id

    async def revert(to: str) -> None:
        await face.until_done(connection, await face.revert(connection, volume, to))

    async def extend() -> None:
        await face.until_done(connection, await face.extend(connection, volume, size_gb))

    async def delete(snapshot: str) -> None:
        await face.until_gone(connection, await face.delete(connection, snapshot))

    made = await timed(_VERBS[0], snapshot())
    await timed(_VERBS[1], revert(made))
    await timed(_VERBS[2], extend())
    await timed(_VERBS[3], delete(made))
