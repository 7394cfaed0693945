"""How long machines are waited for. The clock stands still but where a test moves it."""

from datetime import timedelta
from itertools import pairwise

import pytest

from stratal.compute.guests import pacing
from stratal.compute.guests.pacing import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacing, "time", clock)
    return clock


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(stop_grace=60.0)


def seconds(wait: timedelta | None) -> float | None:
    return None if wait is None else wait.total_seconds()


def test_a_guest_has_its_time_to_shut_down(clock: Clock, pace: Pace) -> None:
    assert not pace.stop_overdue(1)
    clock.now += 59
    assert not pace.stop_overdue(1)
    assert not pace.stop_overdue(2)
    clock.now += 1
    assert pace.stop_overdue(1)
    assert not pace.stop_overdue(2)


def test_a_guest_that_is_to_run_again_has_all_of_its_time_when_it_is_stopped_next(
    clock: Clock, pace: Pace
) -> None:
    pace.stop_overdue(1)
    clock.now += 60
    pace.before_start(1)
    assert not pace.stop_overdue(1)


def test_a_guest_that_keeps_ending_is_started_less_and_less_often(clock: Clock, pace: Pace) -> None:
    waits: list[float | None] = []
    for _ in range(8):
        assert pace.before_start(1) is None
        pace.started(1)
        clock.now += 5
        waits.append(wait := seconds(pace.before_start(1)))
        clock.now += wait or 0
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert "8 times" in pace.why(1)


def test_a_guest_that_ran_for_long_is_started_at_once(clock: Clock, pace: Pace) -> None:
    for _ in range(3):
        pace.started(1)
        clock.now += 60
        assert pace.before_start(1) is None


def test_a_guest_that_ran_for_long_is_trusted_again(clock: Clock, pace: Pace) -> None:
    for lived in (1, 1, 1, 60, 1):
        clock.now += 100
        pace.started(1)
        clock.now += lived
        wait = pace.before_start(1)
    assert seconds(wait) == 1


def test_a_start_that_failed_is_tried_again_later_and_says_why(clock: Clock, pace: Pace) -> None:
    pace.failed(1, "no memory")
    assert (seconds(pace.before_start(1)), pace.why(1)) == (1, "no memory")
    clock.now += 1
    assert pace.before_start(1) is None
    pace.failed(1, "no memory")
    assert seconds(pace.before_start(1)) == 2
    pace.started(1)
    assert "no memory" not in pace.why(1)


def test_what_is_stopped_as_it_shall_be_starts_anew_without_a_wait(pace: Pace) -> None:
    pace.failed(1, "no memory")
    pace.stopped(1)
    assert pace.before_start(1) is None


def test_a_disk_that_refuses_writes_is_tried_at_once_and_then_less_and_less_often(
    clock: Clock, pace: Pace
) -> None:
    assert pace.stalled(1) is None
    tries: list[float] = []
    begin = clock.now
    for _ in range(200):
        if pace.may_try_again(1):
            tries.append(clock.now - begin)
        clock.now += 0.5
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert tries[0] == 0
    assert pauses == sorted(pauses)
    assert max(pauses) <= 15.5


def test_a_guest_that_goes_on_after_a_refusal_is_well_again(clock: Clock, pace: Pace) -> None:
    assert pace.may_try_again(1)
    clock.now += 1
    assert pace.stalled(1) is not None
    clock.now += 3
    assert pace.stalled(1) is None
    assert pace.may_try_again(1)


def test_a_password_is_known_by_its_number_until_the_machine_is_forgotten(pace: Pace) -> None:
    assert not pace.knows_password(1, 0)
    pace.has_password(1, 3)
    assert pace.knows_password(1, 3)
    assert not pace.knows_password(1, 4)
    pace.forget(1)
    assert not pace.knows_password(1, 3)


def test_the_more_guests_run_the_longer_each_is_left_alone(pace: Pace) -> None:
    assert pace.between_looks == timedelta(seconds=30)
    for id in range(2000):
        pace.seen_running(id)
    assert pace.between_looks == timedelta(seconds=100)
    for id in range(2000):
        pace.stopped(id)
    assert pace.between_looks == timedelta(seconds=30)
