"""A process that is stalled while it makes a layer, as a program that the crash suite stops and continues.

    stalled_life.py URL DIRECTORY DEED POINT

It does the deed, and stops itself (SIGSTOP) at the crash point, once; the folder `tests` must be on Python's
path. The directory has the disks, and in `images` what may be imported.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage_life import SETTINGS

from storage_installation import Installation, eventually, qcow2, running
from stratal.kernel import effects
from stratal.storage import ImageSettings


def main(url: str, directory: str, deed: str, point: str) -> None:
    here_are = Path(directory)
    with taken_up(url, here_are) as here:
        base = here.volume("base")
        here.write(base, 0, b"A" * 100_000)
        snap = here.snapshot(base)
        _stop_at(point)
        match deed:
            case "import":
                image = here_are / "images" / "image.raw"
                here.create(here.storage.images.service, name="new", path=str(image), format="raw")
            case "flatten":
                here.ask_for_clone(snap, "new", flatten=True)
            case _:
                here.ask_for_clone(snap, "new")
        trees = [tree.id for tree in here.trees()]
        print("asked", flush=True)
        sys.stdin.read()
        eventually(lambda: not any(here.storage.background.look(tree).busy for tree in trees), 60)


@contextmanager
def taken_up(url: str, directory: Path) -> Iterator[Installation]:
    """An installation on what there is."""
    images = ImageSettings(spool=directory / "spool", import_directories=[directory / "images"])
    backends = {"qcow2": qcow2(directory / "disks")}
    with running(url, backends, settings=SETTINGS, images=images) as here:
        yield here


def _stop_at(point: str) -> None:
    lock = threading.Lock()
    stopped = False

    def passing(passed: str) -> None:
        nonlocal stopped
        with lock:
            if passed != point or stopped:
                return
            stopped = True
        print("stalled", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)

    effects._pass = passing


if __name__ == "__main__":
    main(*sys.argv[1:])
