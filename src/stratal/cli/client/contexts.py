"""Which servers somebody is logged in to: the file of contexts.

One file below $XDG_STATE_HOME, readable by its owner alone, because the tokens in it are as good as
passwords. It is replaced as a whole, under a lock, so that two commands at once lose nothing.
"""

import fcntl
import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stratal.cli.client.errors import BadArgument, ClientError

#: `stratal --context NAME`, for the command that follows
chosen_context: ContextVar[str | None] = ContextVar("chosen_context", default=None)

DEFAULT = "default"
DEFAULT_URL = "http://127.0.0.1:6012/sddc/v1"


class FileUnusable(ClientError):
    code = "state_unusable"
    template = "{path} cannot be used: {reason}"
    remedy = "Correct that, or remove the file and log in again."


@dataclass(frozen=True, kw_only=True)
class Context:
    """A server, and who one is there."""

    url: str
    user: str = ""
    user_id: int = 0
    #: the name of the project that the token is for
    project: str = ""
    token: str = field(default="", repr=False)
    #: ISO 8601
    expires: str = ""
    #: PEM file of the authority that the server's certificate is checked against; empty for the system's
    ca_file: str = ""
    #: whether any certificate will do
    insecure: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the token has expired, as far as is known here."""
        try:
            return bool(self.expires) and datetime.fromisoformat(self.expires) <= datetime.now(UTC)
        except (ValueError, TypeError):
            return False


@dataclass(frozen=True, kw_only=True)
class Contexts:
    current: str = DEFAULT
    all: dict[str, Context] = field(default_factory=dict[str, Context])

    def with_(self, name: str, context: Context) -> "Contexts":
        return replace(self, all={**self.all, name: context})

    def without(self, name: str) -> "Contexts":
        rest = {each: context for each, context in self.all.items() if each != name}
        return Contexts(current=self.current if self.current != name else next(iter(rest), DEFAULT), all=rest)

    def switched(self, name: str) -> "Contexts":
        if name not in self.all:
            known = ", ".join(sorted(self.all)) or "none"
            raise BadArgument(reason=f"there is no context {name}; there are: {known}")
        return replace(self, current=name)


def chosen(contexts: Contexts) -> str:
    """The name of the context to use."""
    return chosen_context.get() or os.environ.get("STRATAL_CONTEXT") or contexts.current


def state_file() -> Path:
    """Where the contexts are kept."""
    base = os.environ.get("XDG_STATE_HOME") or ""
    # the specification says that a relative path is to be ignored
    root = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state"
    return root / "stratal" / "contexts.json"


def load() -> Contexts:
    path = state_file()
    try:
        raw: Any = json.loads(path.read_text(encoding="utf-8"))
        found = {
            str(name): Context(**{key: each[key] for key in Context.__dataclass_fields__ if key in each})
            for name, each in raw["contexts"].items()
        }
        return Contexts(current=str(raw["current"]), all=found)
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise FileUnusable(path=path, reason=error.strerror) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileUnusable(path=path, reason="it is not a file of contexts") from error


def change(how: Callable[[Contexts], Contexts]) -> Contexts:
    """Replace the contexts by what `how` makes of them."""
    path = state_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as stack:
            lock = stack.enter_context((path.parent / "lock").open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            contexts = how(load())
            raw = {"current": contexts.current, "contexts": {n: asdict(c) for n, c in contexts.all.items()}}
            replace_private(path, json.dumps(raw, indent=2).encode() + b"\n")
        return contexts
    except OSError as error:
        raise FileUnusable(path=path, reason=error.strerror) from error


def replace_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, at once or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
