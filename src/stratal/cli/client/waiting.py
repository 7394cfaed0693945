"""Waiting until a resource is as it was asked to be, with a bar for whoever watches.

Every write is durable once it is answered, so the waiting may end at any time, by Ctrl-C too: the server
goes on.
"""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from stratal.cli.client.errors import ClientError, Refused, StillGoing, Stuck
from stratal.cli.client.kinds import JSON
from stratal.cli.client.session import Session, id_of
from stratal.cli.client.sizes import shown_bytes

_FIRST_PAUSE, _LONGEST_PAUSE = 0.03, 1.0
_SHOWN_AFTER = 0.4
"""Seconds: what is quicker needs no bar."""

_PATIENCE = 30.0
"""Seconds that one and the same problem may last before it is called a failure."""

_LOOK_FOR_REASON_EVERY = 2.0

Progress = Callable[[JSON], tuple[int, int] | None]
"""How much of how much is done, in bytes."""

Done = Callable[[JSON], bool]


class Interrupted(ClientError):
    code = "interrupted"
    template = "{what} goes on at the server"
    remedy = "Look at it: {look}"
    exit_code = 130


class Stopped(ClientError):
    """Ctrl-C during something that does not go on without the client."""

    code = "interrupted"
    exit_code = 130


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Whether and how long to wait."""

    wanted: bool
    #: seconds; None for as long as it takes
    timeout: float | None = None


class Bar:
    """Where whoever watches reads how far it is. Shows nothing unless standard error is a terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._progress: Any = None
        self._task: Any = None

    def show(self, done: tuple[int, int] | None = None, note: str = "", *, at_once: bool = False) -> None:
        if not sys.stderr.isatty() or not (at_once or time.monotonic() - self._started > _SHOWN_AFTER):
            return
        if self._progress is None:
            self._progress = self._begin()
        amount = f"{shown_bytes(done[0])} of {shown_bytes(done[1])}" if done and done[1] else ""
        self._progress.update(
            self._task,
            completed=done[0] if done else 0,
            total=done[1] if done and done[1] else None,
            note=" ".join(part for part in (amount, note) if part),
        )

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _begin(self) -> Any:
        from rich import progress

        from stratal.cli.client.output import console

        columns = (
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(bar_width=30),
            progress.TextColumn("{task.fields[note]}", markup=False),
            progress.TimeElapsedColumn(),
        )
        shown = progress.Progress(*columns, console=console(to_stderr=True), transient=True)
        self._task = shown.add_task(self._what, total=None, note="")
        shown.start()
        return shown


@contextmanager
def bar(what: str) -> Generator[Bar]:
    shown = Bar(what)
    try:
        yield shown
    finally:
        shown.close()


def active(item: JSON) -> bool:
    return item["metadata"]["state"]["state"] == "active"


def settled(
    session: Session,
    plural: str,
    item: JSON,
    what: str,
    wait: Wait,
    *,
    done: Done = active,
    progress: Progress | None = None,
) -> JSON:
    """The resource once it is as asked for; at once if nobody wants to wait.

    Raises StillGoing, Stuck, Interrupted; and Refused (404) if somebody deletes it meanwhile.
    """
    if not wait.wanted:
        return item
    id = id_of(item)
    newest = _poll(session, plural, id, what, wait, lambda now: now is None or done(now), progress=progress)
    if newest is None:
        body = {"message": f"{what}: somebody deleted it meanwhile", "code": "not_found"}
        raise Refused(status=404, body=body)
    return newest


def gone(session: Session, plural: str, item: JSON, what: str, wait: Wait) -> None:
    """Return once the resource is no more; at once if nobody wants to wait. Raises as `settled` does."""
    if wait.wanted:
        _poll(session, plural, id_of(item), what, wait, lambda now: now is None)


def _poll(
    session: Session,
    plural: str,
    id: int,
    what: str,
    wait: Wait,
    ended: Callable[[JSON | None], bool],
    *,
    progress: Progress | None = None,
) -> JSON | None:
    started = time.monotonic()
    pause = _FIRST_PAUSE
    trouble = _Trouble(session, plural, id)
    with bar(what) as shown:
        try:
            while not ended(item := session.newest(plural, id)):
                waited = time.monotonic() - started
                why = trouble.look(item or {}, waited)
                if wait.timeout is not None and waited >= wait.timeout:
                    raise StillGoing(what=what, seconds=waited, why=f" ({why})" if why else "")
                if why and trouble.lasted > _PATIENCE:
                    raise Stuck(what=what, reason=why)
                shown.show(progress(item) if progress and item and waited > _SHOWN_AFTER else None, why)
                left = _LONGEST_PAUSE if wait.timeout is None else max(0.0, wait.timeout - waited)
                time.sleep(min(pause, left))
                pause = min(pause * 1.5, _LONGEST_PAUSE)
        except KeyboardInterrupt:
            raise Interrupted(what=what, remedy=f"Look at it: stratal show {plural} {id}") from None
    return item


class _Trouble:
    """What keeps a resource, if anything does: its status says so, or else its newest event."""

    def __init__(self, session: Session, plural: str, id: int) -> None:
        self._session, self._plural, self._id = session, plural, id
        self._looked_at = 0.0
        self._why = ""
        self._since = time.monotonic()

    @property
    def lasted(self) -> float:
        """Seconds for which it has been the same."""
        return time.monotonic() - self._since

    def look(self, item: JSON, waited: float) -> str:
        status: JSON = item.get("status") or {}
        why = str(status.get("problem") or "")
        if not why and waited - self._looked_at >= _LOOK_FOR_REASON_EVERY:
            self._looked_at = waited
            why = self._event()
        elif not why:
            why = self._why
        if why != self._why:
            self._why, self._since = why, time.monotonic()
        return why

    def _event(self) -> str:
        name = self._session.document.kind(self._plural).name
        query = f"resource_type:{name} AND resource_id:{self._id}"
        try:
            newest = next(self._session.items("events", query=query, sort="id:desc", limit=1), None)
        except Refused:  # not everybody may read events
            return ""
        return str(newest["message"]) if newest and newest["level"] != "info" else ""
