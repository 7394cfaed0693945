"""The process of the qcow2 driver, killed at every crash point."""

# ruff: noqa: F401, F811  # fixtures are imported, and then named by parameters

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from layer_mirror import Mirror, new_id
from qcow2_ground import SIZE, chain, driver, environment, mirror, prepared, settled, slow_tools, sockets

from stratal.kernel import effects
from stratal.kernel.effects import ENVIRONMENT_VARIABLE, Effect
from stratal.storage.drivers.contract import Direction, LayerId
from stratal.storage.drivers.errors import LayerBusy
from stratal.storage.drivers.qcow2 import Qcow2Driver

#: The tests that walk over crash points start hundreds of processes: 20 s each on an idle machine, minutes
#: beside others.
pytestmark = pytest.mark.timeout(1200)


class TestKilledProcess:
    """SIGKILL, as a power cut would, at every crash point of the driver."""

    def test_a_script_of_all_verbs_killed_anywhere_ends_where_it_would_have_ended(
        self, tmp_path: Path, sockets: Path
    ) -> None:
        expected = run_script(tmp_path / "whole", sockets, None)
        assert expected is not None
        points = [point for point in Effect.crash_points() if point.startswith("qcow2.")]
        passed = 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for died in pool.map(lambda at: self.killed_at(tmp_path, sockets, at, expected), points):
                passed += died
        assert passed >= 0.8 * len(points), "the script comes by most crash points"

    def killed_at(self, folder: Path, sockets: Path, point: str, expected: str) -> bool:
        here = folder / point
        died = run_script(here, sockets, point) is None
        assert run_script(here, sockets, None) == expected, point
        return died

    def test_no_server_outlives_the_process_that_started_it(self, tmp_path: Path, sockets: Path) -> None:
        place, layer = tmp_path / "place", new_id()
        driver = prepared(place)
        driver.create_root(layer, size_bytes=SIZE).run()
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, place, sockets, layer],
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            with pytest.raises(LayerBusy), driver.open_writing(layer):
                pass
            assert list(sockets.glob("stratal-nbd-*"))
            process.send_signal(signal.SIGKILL)
        eventually(lambda: _is_free(driver, layer))
        with driver.open_writing(layer) as writer:
            assert writer.read(0, 7) == b"flushed"
        Qcow2Driver(place, runtime=sockets).reclaim()
        assert not list(sockets.glob("stratal-nbd-*"))

    def test_a_server_does_not_start_whose_user_died_before_the_kernel_was_told_to_end_both(
        self, tmp_path: Path, sockets: Path
    ) -> None:
        place, layer = tmp_path / "place", new_id()
        driver = prepared(place)
        driver.create_root(layer, size_bytes=SIZE).run()
        programs, dead, passed = (tmp_path / name for name in ("programs", "dead", "passed"))
        programs.mkdir()
        late = programs / "setpriv"
        late.write_text(
            f"#!/bin/sh\nuntil [ -e {dead} ]; do sleep 0.01; done\n"
            f'touch {passed}\nexec {shutil.which("setpriv")} "$@"\n'
        )
        late.chmod(0o755)
        path = f"{programs}:{os.environ['PATH']}"
        killed = {ENVIRONMENT_VARIABLE: "qcow2.export.serve.after", "PATH": path}
        ended = subprocess.run(
            [sys.executable, "-c", HOLD, place, sockets, layer], env=environment(**killed), check=False
        )
        assert ended.returncode == -signal.SIGKILL
        with pytest.raises(LayerBusy), driver.open_writing(layer):
            pass  # what was started is still there, and waits
        dead.touch()
        eventually(passed.exists)
        eventually(lambda: _is_free(driver, layer))

    def test_a_server_that_was_just_started_ends_when_its_user_is_interrupted(
        self, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Interrupted(BaseException):
            """As KeyboardInterrupt, which may come anywhere."""

        def interrupt(point: str) -> None:
            if point == "qcow2.export.serve.after":
                time.sleep(0.3)  # the server is up and has the file locked
                raise Interrupted

        root = mirror.root()
        with monkeypatch.context() as patched:
            patched.setattr(effects, "_pass", interrupt)
            with pytest.raises(Interrupted):
                mirror.write(root, 0, b"never")
        mirror.write(root, 0, b"again")
        settled(mirror)

    def test_reclaim_spares_what_running_work_holds(
        self, mirror: Mirror, slow_tools: Callable[[str], None]
    ) -> None:
        layers = chain(mirror, 3)
        slow_tools("commit")
        with ThreadPoolExecutor(1) as pool:
            merging = pool.submit(mirror.absorb, layers[0], layers[1], Direction.DOWN)
            while mirror.driver.observe(layers[0]) is not None:
                time.sleep(0.01)
            assert mirror.driver.survey().leftovers != ()
            assert mirror.driver.reclaim() == ()
            merging.result()
        settled(mirror)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_free(driver: Qcow2Driver, layer: LayerId) -> bool:
    """Whether nobody else has the layer open."""
    try:
        with driver.open_writing(layer):
            return True
    except LayerBusy:
        return False


HOLD = """
import sys, time
from pathlib import Path
from stratal.storage.drivers.qcow2 import Qcow2Driver
driver = Qcow2Driver(Path(sys.argv[1]), runtime=Path(sys.argv[2]))
with driver.open_writing(sys.argv[3]) as writer:
    writer.write(0, b"flushed")
    writer.flush()
    print("open", flush=True)
    time.sleep(60)
"""


SCRIPT = """
import hashlib, sys, uuid
from pathlib import Path
from stratal.storage.drivers.contract import Direction, Location, Source, Transport
from stratal.storage.drivers.qcow2 import Qcow2Driver

folder, runtime = Path(sys.argv[1]), Path(sys.argv[2])
place, journal = folder / "place", folder / "journal"
place.mkdir(exist_ok=True)
driver = Qcow2Driver(place, runtime=runtime)
A, B, C, D, E, F, G = (str(uuid.UUID(int=number)) for number in range(1, 8))
SIZE = 2**20

def write(layer, offset, text):
    with driver.open_writing(layer) as writer:
        writer.write(offset, text * 1000)
        writer.zero(offset + 300_000, 70_000)

def absorb(parent, into, direction):
    # A planner that finds the parent gone takes the step for done; what is left is reclaim's.
    driver.absorb(parent, into=into, direction=direction).run()

def beside_a_reader(parent, into):
    with driver.open_reading(into):
        absorb(parent, into, Direction.DOWN)

image, raw = folder / "image.raw", folder / "adopted.raw"
steps = [
    driver.prepare,
    lambda: image.write_bytes(b"image" * 100_000),
    lambda: raw.write_bytes(b"adopted" * 10_000),
    lambda: driver.create_root(A, size_bytes=SIZE, source=Source.file(image, format="raw")).run(),
    lambda: write(A, 5, b"first"),
    lambda: driver.freeze(A),
    lambda: driver.create_child(B, parent=A, size_bytes=SIZE),
    lambda: write(B, 100_000, b"second"),
    lambda: driver.freeze(B),
    lambda: driver.create_child(C, parent=B, size_bytes=SIZE),
    lambda: driver.resize(C, size_bytes=2 * SIZE),
    lambda: write(C, 200_000, b"third"),
    lambda: driver.freeze(C),
    lambda: driver.create_child(D, parent=C, size_bytes=2 * SIZE),
    lambda: write(D, SIZE, b"fourth"),
    lambda: driver.create_child(E, parent=C, size_bytes=2 * SIZE),
    lambda: absorb(B, C, Direction.DOWN),
    lambda: driver.adopt(F, location=Location(transport=Transport.FILE, address=str(raw), format="raw")),
    lambda: driver.freeze(F),
    lambda: driver.create_child(G, parent=F, size_bytes=driver.observe(F).size_bytes),
    lambda: beside_a_reader(F, G),
    lambda: absorb(A, C, Direction.UP),
    lambda: driver.flatten(E).run(),
    lambda: driver.delete(E),
    lambda: driver.flatten(D).run(),
    lambda: driver.reclaim(),
]
done = len(journal.read_text()) if journal.exists() else 0
for step in steps[done:]:
    step()
    with journal.open("a") as file:
        file.write(".")
driver.reclaim()
survey = driver.survey()
print(survey.leftovers, sorted(runtime.iterdir()))
for layer, info in sorted(survey.layers.items()):
    report = driver.check(layer)
    with driver.open_reading(layer) as reader:
        content = hashlib.sha256(reader.read(0, reader.size_bytes)).hexdigest()
    print(layer, info.parent, info.frozen, info.size_bytes, report, content)
print(sorted(file.name for file in place.iterdir()))
"""


def run_script(folder: Path, sockets: Path, point: str | None) -> str | None:
    """What the script says in the end; None if it was killed at the crash point."""
    folder.mkdir(exist_ok=True)
    runtime = sockets / folder.name
    runtime.mkdir(exist_ok=True)
    arming = {ENVIRONMENT_VARIABLE: point} if point else {}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, folder, runtime],
        env=environment(**arming),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done.stderr
    return done.stdout
