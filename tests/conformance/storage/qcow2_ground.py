"""What the tests of the qcow2 driver stand on: a directory, its files, and other programs that open them."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from layer_mirror import Expected, Mirror, new_id, pattern

import stratal
from stratal.storage.drivers.contract import (
    LayerId,
    Location,
    Transport,
)
from stratal.storage.drivers.qcow2 import Qcow2Driver

MIB = 2**20

SIZE = 2 * MIB


def prepared(directory: Path) -> Qcow2Driver:
    directory.mkdir(exist_ok=True)
    driver = Qcow2Driver(directory)
    driver.prepare()
    return driver


def qemu_img(*arguments: object) -> str:
    return subprocess.run(
        ["qemu-img", *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout


@pytest.fixture
def driver(tmp_path: Path) -> Qcow2Driver:
    return prepared(tmp_path / "place")


@pytest.fixture
def mirror(driver: Qcow2Driver) -> Mirror:
    return Mirror(driver, SIZE)


def path_of(mirror: Mirror, layer: LayerId) -> Path:
    location = mirror.driver.locate(layer)
    assert location is not None
    return Path(location.address)


def chain(mirror: Mirror, length: int) -> list[LayerId]:
    layers = [mirror.root()]
    mirror.write(layers[0], 0, pattern(0, SIZE // 2))
    for level in range(1, length):
        layers.append(mirror.snapshot(layers[-1]))
        mirror.write(layers[-1], level % 7 * 100_000, pattern(level, 150_000))
    return layers


def settled(mirror: Mirror) -> None:
    """Everything reads right, is sound, and nothing is left over."""
    mirror.driver.reclaim()
    assert mirror.driver.survey().leftovers == ()
    mirror.verify()
    for layer in mirror.layers:
        report = mirror.driver.check(layer)
        assert report.sound
        assert report.leaked_bytes == 0


@contextmanager
def opened_by_another_program(path: Path, *options: str) -> Generator[None]:
    """As a guest would have it open."""
    with subprocess.Popen(
        ["qemu-io", *options, "-f", "qcow2", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("length\n")
        process.stdin.flush()
        while "MiB" not in process.stdout.readline():
            pass
        yield
        process.stdin.close()


@pytest.fixture
def sockets() -> Generator[Path]:
    """A directory with a name that is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="stratal-") as name:
        yield Path(name)


def environment(**more: str) -> dict[str, str]:
    source = Path(stratal.__file__).parents[1]
    return {**os.environ, "PYTHONPATH": str(source), **more}


def adopted(mirror: Mirror, path: Path, format: str, content: bytes) -> LayerId:
    layer = new_id()
    mirror.driver.adopt(layer, location=located(path, format))
    mirror.layers[layer] = Expected(parent=None, content=bytearray(content))
    return layer


def located(path: Path, format: str) -> Location:
    return Location(transport=Transport.FILE, address=str(path), format=format)


@pytest.fixture
def killed_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes `qemu-img <verb>` die of SIGKILL a few milliseconds after it began to work."""
    return shim(tmp_path, monkeypatch, '"$real" "$@" & sleep 0.02; kill -9 $! 2>/dev/null; kill -9 $$')


@pytest.fixture
def slow_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes `qemu-img <verb>` take a second, with its images open."""
    return shim(tmp_path, monkeypatch, 'sleep 1; exec "$real" "$@"')


def shim(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> Callable[[str], None]:
    real, programs = shutil.which("qemu-img"), folder / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    def install(verb: str) -> None:
        script = f'#!/bin/sh\nreal={real}\nif [ "$1" = "{verb}" ]; then {body}; fi\nexec "$real" "$@"\n'
        new = programs / "new"
        new.write_text(script)
        new.chmod(0o755)
        new.rename(programs / "qemu-img")

    return install
