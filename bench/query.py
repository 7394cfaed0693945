"""Issue 2's lists: a page of 100 out of 1,000,000 rooms, filtered and sorted, with the total count.

One client asks one question after another, each with other values, and times the whole answer.
"""

import http.client
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import msgspec

from bench.databases import NAMES, Rooms
from bench.machine import percentile
from bench.options import Options, Outcome
from bench.results import Row, under
from bench.servers import BARE, Subject, available, bare, stratal

SUMMARY = "a page of 100 out of 1,000,000 rooms in 1,000 data centres, with total_count"

_ROOMS = 1_000_000
_DATA_CENTERS = 1000
_LIMIT = 100
_WARM_UP = 20
_TARGET = under(25)

_Question = Callable[[Random, Rooms], dict[str, str]]


def _data_center(random: Random, rooms: Rooms) -> str:
    return f"spec.data_center_id:{rooms.first_data_center + random.randrange(rooms.data_centers)}"


def _ids(random: Random, rooms: Rooms) -> str:
    ids = random.sample(range(rooms.first, rooms.first + rooms.count), 200)
    return f"metadata.id:({' '.join(map(str, ids))})"


_NEWEST = "metadata.created_at:desc"
_QUESTIONS: Mapping[str, _Question] = {
    "of a data centre, newest first": lambda random, rooms: {
        "q": _data_center(random, rooms),
        "sort": _NEWEST,
    },
    "of a data centre, active, by name": lambda random, rooms: {
        "q": f"{_data_center(random, rooms)} AND metadata.state.state:active",
        "sort": "metadata.name",
    },
    "of a data centre, name by regular expression": lambda random, rooms: {
        "q": f'{_data_center(random, rooms)} AND metadata.name:~".*{random.randrange(10)}"',
        "sort": "metadata.name",
    },
    "name begins with …, by name": lambda random, rooms: {
        "q": f"metadata.name:room-{random.randrange(10_000):04}*",
        "sort": "metadata.name",
    },
    "200 ids, newest first": lambda random, rooms: {"q": _ids(random, rooms), "sort": _NEWEST},
    "created in one hour, newest first": lambda random, rooms: {
        "q": 'metadata.created_at:["2024-{0:02}-{1:02}T00:00:00Z" TO "2024-{0:02}-{1:02}T01:00:00Z"]'.format(
            1 + random.randrange(3), 1 + random.randrange(28)
        ),
        "sort": _NEWEST,
    },
    "active, newest first": lambda random, rooms: {"q": "metadata.state.state:active", "sort": _NEWEST},
    "all, newest first": lambda random, rooms: {"sort": _NEWEST},
}


def run(options: Options) -> Outcome:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stratal-bench-")))
        subjects: list[Subject] = []
        for name in available(NAMES, options.warn):
            options.progress(f"filling {name}")
            subjects.append(
                stack.enter_context(stratal(name, directory / name, data_centers=_DATA_CENTERS, rooms=_ROOMS))
            )
        client = _Client(subjects[0])
        page = client.ask({"q": _data_center(Random(0), subjects[0].rooms)})
        baseline = stack.enter_context(bare(page, subjects[0].rooms))
        times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for turn in range(options.rounds):
            for question in _QUESTIONS:
                options.progress(f"round {turn + 1} of {options.rounds}: {question}")
                for subject in [baseline, *subjects]:
                    times[question, subject.name] += _ask(subject, question, turn, options.seconds)
        return Outcome(
            rows=_rows([baseline, *subjects], times),
            remarks=[f"Each answer holds up to {_LIMIT} rooms, {len(page) // 1000} kB of JSON."],
        )


class _Client:
    def __init__(self, subject: Subject) -> None:
        host, _, port = subject.url.removeprefix("http://").partition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=60)
        self._headers = {"x-sddc-token": subject.token}

    def ask(self, parameters: dict[str, str]) -> bytes:
        path = "/sddc/v1/rooms?" + urlencode({**parameters, "limit": str(_LIMIT)})
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered with {answer.status}: {body[:500]!r}")
        return body

    def close(self) -> None:
        self._connection.close()


def _ask(subject: Subject, question: str, turn: int, seconds: float) -> list[float]:
    """Ask for so many seconds. Returns how long each answer took."""
    random = Random(f"{question} {turn}")
    make = _QUESTIONS[question]
    with closing(_Client(subject)) as client:
        if turn == 0:
            for _ in range(_WARM_UP):
                _check(client.ask(make(random, subject.rooms)), subject)
        times: list[float] = []
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            client.ask(make(random, subject.rooms))
            times.append(time.perf_counter() - started)
    return times


class _Pagination(msgspec.Struct):
    total_count: int
    count: int


class _Meta(msgspec.Struct):
    pagination: _Pagination


class _Page(msgspec.Struct):
    metadata: _Meta


def _check(body: bytes, subject: Subject) -> None:
    """An answer that holds nothing would be too easy."""
    found = msgspec.json.decode(body, type=_Page).metadata.pagination
    assert found.count > 0, subject.name
    assert found.total_count >= found.count, subject.name


def _rows(subjects: Sequence[Subject], times: Mapping[tuple[str, str], list[float]]) -> list[Row]:
    baseline = [seconds for (_, name), taken in times.items() if name == BARE for seconds in taken]
    rows = [_row("the same page, constant", BARE, baseline, None)]
    for question in _QUESTIONS:
        rows += [
            _row(f"rooms {question}: p99", subject.name, times[question, subject.name], baseline)
            for subject in subjects
            if subject.name != BARE
        ]
    return rows


def _row(name: str, subject: str, taken: list[float], baseline: list[float] | None) -> Row:
    return Row(
        name=name,
        subject=subject,
        measured=percentile(taken, 99) * 1000,
        unit="ms",
        target=None if baseline is None else _TARGET,
        ratio=None if baseline is None else percentile(taken, 99) / percentile(baseline, 99),
        note=f"p50 {statistics.median(taken) * 1000:.1f} ms of {len(taken)}",
    )
