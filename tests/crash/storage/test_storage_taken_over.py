"""Two engines on one PostgreSQL and one directory: one is stalled past its lease while it makes a layer."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from stalled_life import taken_up
from storage_aftermath import check_nothing_over

from storage_installation import AnyService, Installation, eventually
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import WORK
from stratal.storage.tree.model import TREE

_TESTS = Path(__file__).parents[2]
_PROGRAM = [sys.executable, str(Path(__file__).with_name("stalled_life.py"))]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{_TESTS}{os.pathsep}{_TESTS / 'crash'}"}

#: what is asked for, where the process that does it is stalled, and what the new volume reads then
_STALLS = [
    ("import", "qcow2.make.convert.before", b"I"),
    ("import", "qcow2.make.convert.after", b"I"),
    ("import", "qcow2.make.publish.before", b"I"),
    ("flatten", "qcow2.merge.copy.before", b"A"),
    ("flatten", "qcow2.merge.replace.before", b"A"),
    ("clone", "qcow2.make.write.before", b"A"),
    ("clone", "qcow2.make.publish.before", b"A"),
]


@pytest.fixture
def ground(tmp_path: Path) -> Path:
    for name in ("disks", "images"):
        (tmp_path / name).mkdir()
    (tmp_path / "images" / "image.raw").write_bytes(b"I" * 2**20)
    return tmp_path


@contextmanager
def _stalled(url: str, ground: Path, deed: str, point: str) -> Iterator["subprocess.Popen[str]"]:
    """The process, stopped at the point while it does the deed."""
    command = [*_PROGRAM, url, str(ground), deed, point]
    pipe = subprocess.PIPE
    logs = (ground / "logs").open("wb")
    with (
        logs,
        subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=logs, text=True, env=_ENVIRONMENT
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = {process.stdout.readline().strip(), process.stdout.readline().strip()}
            assert said == {"asked", "stalled"}, (ground / "logs").read_text()
            yield process
        finally:
            process.kill()


def _go_on(process: "subprocess.Popen[str]") -> None:
    """Let it do what it was about to do, and end in peace."""
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)


def _made_by(here: Installation, deed: str) -> tuple[AnyService, int]:
    """What was asked for: the image or the volume of this name."""
    service: AnyService = here.storage.images.service if deed == "import" else here.volumes
    return service, _called(here, service, "new")


def _called(here: Installation, service: AnyService, name: str) -> int:
    found = here.database.read(lambda tx: service.store.find(tx, service.columns.name == name))
    return found[0].id


@pytest.mark.parametrize(("deed", "point", "content"), _STALLS)
def test_a_layer_that_another_took_over_is_made_once_and_reads_right(
    postgres_url: str, ground: Path, deed: str, point: str, content: bytes
) -> None:
    with _stalled(postgres_url, ground, deed, point) as process, taken_up(postgres_url, ground) as here:
        service, new = _made_by(here, deed)
        _until_taken_over(here)
        _go_on(process)
        here.active(service, new, 60)
        here.at_rest(60)
        volume = here.volume("copy", size_mb=2, vm_image_id=new) if deed == "import" else new
        assert here.read(here.volumes, volume, 0, 1000) == content * 1000
        assert here.read(here.volumes, _called(here, here.volumes, "base"), 0, 1000) == b"A" * 1000
        check_nothing_over(here)


@pytest.mark.parametrize(("deed", "point", "content"), _STALLS)
def test_a_layer_that_nobody_wants_any_more_when_its_maker_wakes_up_goes_away(
    postgres_url: str, ground: Path, deed: str, point: str, content: bytes
) -> None:
    with _stalled(postgres_url, ground, deed, point) as process, taken_up(postgres_url, ground) as here:
        service, new = _made_by(here, deed)
        _until_taken_over(here)
        here.delete(service, new)
        eventually(lambda: here.database.read(lambda tx: service.store.get(tx, new)) is None, 60)
        _go_on(process)
        here.storage.sweep()
        here.at_rest(60)
        assert here.read(here.volumes, _called(here, here.volumes, "base"), 0, 1000) == b"A" * 1000
        check_nothing_over(here)


def _until_taken_over(here: Installation) -> None:
    """Wait until the engine here has looked at each tree after the other's lease on it ran out."""
    before = here.database.read(_fences)
    eventually(lambda: all(fence > before[id] for id, fence in here.database.read(_fences).items()), 60)


def _fences(transaction: Transaction) -> dict[int, int]:
    statement = select(WORK.c.id, WORK.c.fence).where(WORK.c.kind == TREE.name)
    return {row.id: row.fence for row in transaction.execute(statement)}
