"""The only place that starts qemu-img and its kin.

Called by `conversion` and by the qcow2 driver. A tool gets a list of arguments, which no shell interprets;
the C locale; resource limits; a deadline; a session of its own; and a death signal, so that none outlives the
thread that runs it: a killed control plane leaves no writer behind. `keep` hands it the descriptors of locks,
so that even a tool that has just been killed holds them until it is gone.
"""

import os
import re
import resource
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import IO

from stratal.kernel.errors import StratalError, Unavailable
from stratal.kernel.operation import Operation

_POLL_SECONDS = 0.05
_REAP_SECONDS = 5.0
_MOST_OUTPUT_BYTES = 16 * 2**20
_UNLESS_ORPHANED = 'test "$PPID" = "$1" && shift && exec "$@"'
"""The death signal is sent to nobody who asks for it once the parent is dead: a server would run for ever."""

_PROGRESS = re.compile(rb"\(\s*(\d+(?:\.\d+)?)/100%\)")


class ToolFailed(StratalError):
    """The tool ran and said no. `fields["stderr"]` is what it said."""

    code = "tool_failed"
    template = "{tool} failed: {stderr}"


class ToolUnavailable(Unavailable):
    """The tool is not installed, was killed from outside, or overran its deadline. Worth a retry."""

    code = "tool_unavailable"
    template = "{tool} {reason}"


class ToolStopped(StratalError):
    """The tool was stopped because `stop_when` said so."""

    code = "tool_stopped"
    template = "{tool} was stopped"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a tool may take. None is no limit."""

    address_space_bytes: int | None = None
    cpu_seconds: int | None = None


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who looks on while a tool runs."""

    #: told to stop the tool by `cancel`, and of its progress
    operation: Operation | None = None
    #: the bytes that 100 % stand for
    total_bytes: int = 0
    #: asked several times a second; True stops the tool
    stop_when: Callable[[], bool] | None = None


def command(arguments: Sequence[str], limits: Limits | None = None) -> list[str]:
    """The arguments, wrapped in programs that set limits and the death signal and then become the tool, where
    this process has not died by then.

    Not a `preexec_fn`: Python code between fork and exec can deadlock in a process with threads.
    """
    limits = limits or Limits()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # a chain opens one descriptor for each layer
    wrapper = ["prlimit", "--core=0", f"--nofile={files}:{files}"]
    if limits.address_space_bytes is not None:
        wrapper.append(f"--as={limits.address_space_bytes}")
    if limits.cpu_seconds is not None:
        wrapper.append(f"--cpu={limits.cpu_seconds}")
    wrapper += ["setpriv", "--pdeathsig", "KILL"]
    return [*wrapper, "sh", "-c", _UNLESS_ORPHANED, "sh", str(os.getpid()), *arguments]


def environment() -> dict[str, str]:
    """The C locale, so that messages can be recognised, and next to nothing else."""
    return {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)}


def run(
    arguments: Sequence[str],
    *,
    deadline_seconds: float,
    limits: Limits | None = None,
    watch: Watch | None = None,
    keep: Sequence[int] = (),
    output: IO[bytes] | None = None,
    accept: Collection[int] = (0,),
) -> bytes:
    """Run a tool to its end and return what it wrote to standard output, unless that goes to `output`.

    An exit status that is in `accept` counts as success.
    Raises ToolFailed, ToolUnavailable, ToolStopped, and Cancelled from the watching operation.
    """
    watch = watch or Watch()
    tool = arguments[0]
    try:
        process = subprocess.Popen(
            command(arguments, limits),
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=keep,
            env=environment(),
            cwd="/",
        )
    except OSError as error:
        raise ToolUnavailable(tool=tool, reason=f"can't be started: {error.strerror}") from error
    interruptible: AbstractContextManager[None] = nullcontext()
    if watch.operation is not None:
        interruptible = watch.operation.interruptible(lambda: kill(process))
    try:
        with interruptible:
            stdout, stderr = _attend(process, tool, watch, time.monotonic() + deadline_seconds)
    finally:
        dispose(process)
    if process.returncode not in accept:
        if watch.operation is not None:
            watch.operation.check()
        raise _failure(tool, process.returncode, stderr)
    return stdout


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a tool and whatever it started. Safe to repeat."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def dispose(process: subprocess.Popen[bytes]) -> None:
    """Kill a tool, close its pipes, and wait a little: one that hangs in the kernel can't be waited for."""
    kill(process)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_REAP_SECONDS)


def _attend(process: subprocess.Popen[bytes], tool: str, watch: Watch, deadline: float) -> tuple[bytes, str]:
    """Collect what the process says until it ends; stop it at its deadline or when told to."""
    said: dict[IO[bytes], bytearray] = {}
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                selector.register(stream, selectors.EVENT_READ)
                said[stream] = bytearray()
        while selector.get_map():
            for key, _ in selector.select(_POLL_SECONDS):
                chunk = os.read(key.fd, 2**16)
                if not chunk:
                    selector.unregister(key.fileobj)
                for stream, text in said.items():
                    if stream.fileno() == key.fd and len(text) < _MOST_OUTPUT_BYTES:
                        text += chunk
                _report(watch, chunk)
            if watch.stop_when is not None and watch.stop_when():
                kill(process)
                raise ToolStopped(tool=tool)
            if time.monotonic() > deadline:
                kill(process)
                raise ToolUnavailable(tool=tool, reason="did not end in time")
    try:
        process.wait(_REAP_SECONDS)
    except subprocess.TimeoutExpired:
        raise ToolUnavailable(tool=tool, reason="closed its output but does not end") from None
    stdout, stderr = (bytes(said[s]) if s is not None else b"" for s in (process.stdout, process.stderr))
    return stdout, stderr.decode(errors="replace").strip()


def _report(watch: Watch, chunk: bytes) -> None:
    if watch.operation is not None and watch.total_bytes:
        for percent in _PROGRESS.findall(chunk):
            watch.operation.advance(int(watch.total_bytes * float(percent) / 100))


def _failure(tool: str, returncode: int, stderr: str) -> StratalError:
    if returncode < 0:
        return ToolUnavailable(tool=tool, reason=f"was killed by {signal.Signals(-returncode).name}")
    if returncode == 127 and "not found" in stderr:
        return ToolUnavailable(tool=tool, reason="is not installed")
    return ToolFailed(tool=tool, returncode=returncode, stderr=stderr[-2000:] or f"exit status {returncode}")
