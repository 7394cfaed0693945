"""Issue 2's speed of single requests: PATCH/s and GET/s over 16 connections, and a PATCH's p99 at 200/s.

PATCHes change the description of one of 2,000 rooms after another; every one of them wakes the reconcilers
of the room and of its data centre, in the same process. A round is not over before that work is done.
"""

import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx

from bench import durability, open_loop, wrk
from bench.databases import NAMES
from bench.machine import cpu_seconds, percentile
from bench.options import Options, Outcome
from bench.results import Row, Target, at_least, under
from bench.servers import BARE, Subject, available, bare, stratal

SUMMARY = "single requests through HTTP: rates over 16 connections, and latency at 200 PATCH/s"

_CONNECTIONS = 16
_ROOMS = 2000
_DATA_CENTERS = 50
_PATH = "/sddc/v1/rooms/%d"
_PATCH_RATE = 200.0

_Figures = dict[tuple[str, str], list[float]]


def run(options: Options) -> Outcome:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stratal-bench-")))
        subjects = [
            stack.enter_context(stratal(name, directory / name, data_centers=_DATA_CENTERS, rooms=_ROOMS))
            for name in available(NAMES, options.warn)
        ]
        baseline = stack.enter_context(bare(_answer_of(subjects[0]), subjects[0].rooms))
        remarks = [durability.verified(subject, lambda each: _patches(each, 1.0)) for subject in subjects]
        figures: _Figures = defaultdict(list)
        for turn in range(options.rounds + 1):
            options.progress(f"round {turn} of {options.rounds}" if turn else "warming up")
            found: _Figures = defaultdict(list) if turn == 0 else figures
            for subject in [baseline, *subjects]:
                _get_round(subject, options.seconds, found)
                _patch_round(subject, options.seconds, found)
                _latency_round(subject, options.seconds, found)
        return Outcome(rows=_rows([baseline, *subjects], figures), remarks=remarks)


def _answer_of(subject: Subject) -> bytes:
    url = subject.url + _PATH % subject.rooms.first
    return httpx.get(url, headers={"x-sddc-token": subject.token}).content


def _load(subject: Subject, method: str, seconds: float, expect: int) -> wrk.Load:
    return wrk.run(
        subject.url,
        token=subject.token,
        method=method,
        path=_PATH,
        first=subject.rooms.first,
        count=subject.rooms.count,
        seed=time.time_ns() % 10**12,
        connections=_CONNECTIONS,
        seconds=seconds,
        expect=expect,
    )


def _patches(subject: Subject, seconds: float) -> wrk.Load:
    return _load(subject, "PATCH", seconds, 202)


def _get_round(subject: Subject, seconds: float, figures: _Figures) -> None:
    spent = cpu_seconds(subject.pid)
    load = _load(subject, "GET", seconds, 200)
    figures["get", subject.name].append(load.rate)
    figures["get cpu", subject.name].append((cpu_seconds(subject.pid) - spent) / load.requests * 1000)


def _patch_round(subject: Subject, seconds: float, figures: _Figures) -> None:
    spent, looks, started = cpu_seconds(subject.pid), subject.looks(), time.perf_counter()
    load = _patches(subject, seconds)
    figures["patch", subject.name].append(load.rate)
    subject.drain()
    took = time.perf_counter() - started
    figures["drain", subject.name].append(took - load.seconds)
    figures["looks", subject.name].append((subject.looks() - looks) / took)
    figures["patch cpu", subject.name].append((cpu_seconds(subject.pid) - spent) / load.requests * 1000)


def _latency_round(subject: Subject, seconds: float, figures: _Figures) -> None:
    seed = time.time_ns() % 10**12

    def request(number: int) -> open_loop.Request:
        return open_loop.Request(
            method="PATCH",
            path=_PATH % (subject.rooms.first + number % subject.rooms.count),
            body=json.dumps({"spec": {"description": f"change {seed + number}"}}).encode(),
            expect=202,
        )

    latencies = open_loop.run(
        subject.url, token=subject.token, rate=_PATCH_RATE, seconds=seconds, request=request
    )
    subject.drain()
    figures["p50", subject.name].append(percentile(latencies, 50) * 1000)
    figures["p99", subject.name].append(percentile(latencies, 99) * 1000)


def _rows(subjects: Sequence[Subject], figures: _Figures) -> list[Row]:
    return [
        row
        for key, name, unit, target in (
            ("get", "GET a room, 16 connections", "/s", at_least(3000)),
            ("patch", "PATCH a room, 16 connections", "/s", at_least(800)),
            ("p99", "PATCH a room at 200/s, p99", "ms", under(20)),
        )
        for row in (_row(subject.name, figures, key, name, unit, target) for subject in subjects)
    ]


def _row(subject: str, figures: _Figures, key: str, name: str, unit: str, target: Target) -> Row:
    def median(figure: str) -> float:
        return statistics.median(figures[figure, subject])

    notes = [f"{min(figures[key, subject]):.0f} to {max(figures[key, subject]):.0f}"]
    if key == "get":
        notes.append(f"{median('get cpu'):.2f} ms of CPU each")
    elif key == "patch":
        notes.append(f"{median('patch cpu'):.2f} ms of CPU each")
        if subject != BARE:
            notes.append(
                f"{median('looks'):.0f} looks/s, drained {median('drain'):.2f} s after the last PATCH"
            )
    else:
        notes = [f"p50 {median('p50'):.1f} ms"]
    baseline = statistics.median(figures[key, BARE])
    return Row(
        name=name,
        subject=subject,
        measured=median(key),
        unit=unit,
        target=None if subject == BARE else target,
        ratio=None if subject == BARE else median(key) / baseline,
        note="; ".join(notes),
    )
