"""One command's dealings with a server: who is asking, what can be asked, and the requests that all share."""

import hashlib
import json
import os
import re
import string
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from stratal.cli.client import contexts
from stratal.cli.client.connection import Connection, base_url
from stratal.cli.client.contexts import Context
from stratal.cli.client.errors import Ambiguous, BadArgument, Nameless, NotLoggedIn, Refused
from stratal.cli.client.kinds import JSON, Document

_PAGE = 1000
_CANDIDATES = 20
_DOCUMENT_SECONDS = 600.0
"""How long a server's OpenAPI document is believed to be unchanged."""


def context() -> Context:
    """Who and where one is: from the environment, else from the chosen or current context."""
    url, token = os.environ.get("STRATAL_URL"), os.environ.get("STRATAL_TOKEN")
    name = contexts.chosen_context.get() or os.environ.get("STRATAL_CONTEXT")
    if url and not name:
        return Context(url=base_url(url), token=token or "", ca_file=os.environ.get("STRATAL_CA_FILE", ""))
    known = contexts.load()
    if name and name not in known.all:
        known.switched(name)  # which says what there is
    found = known.all.get(name or known.current)
    if found is None:
        raise NotLoggedIn(where="")
    if found.is_over:
        raise NotLoggedIn(where=f" at {found.url} any more: the token has ended")
    return found


class Session:
    """Requests about resources. Close it, or use it as a context manager."""

    def __init__(self, *, timeout: float | None = None) -> None:
        self.context = context()
        self.connection = Connection(self.context, timeout=timeout)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *parts: object) -> None:
        self.connection.__exit__(*parts)

    @cached_property
    def document(self) -> Document:
        """What the server says of itself; asked for at most every ten minutes."""
        path = _cache_directory() / f"{hashlib.sha256(self.context.url.encode()).hexdigest()[:32]}.json"
        try:
            if time.time() - path.stat().st_mtime < _DOCUMENT_SECONDS:
                return Document(json.loads(path.read_bytes()))
        except (OSError, ValueError, AttributeError, KeyError):
            pass
        raw = self.connection.get("/openapi.json")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            contexts.replace_private(path, json.dumps(raw).encode())
        except OSError:
            pass  # without a cache it is asked for every time
        return Document(raw)

    def forget_document(self) -> None:
        """Ask the server anew: it may have been upgraded."""
        for path in _cache_directory().glob("*.json"):
            path.unlink(missing_ok=True)
        self.__dict__.pop("document", None)

    # -- resources -----------------------------------------------------------------------------------

    def show(self, plural: str, id: int) -> JSON:
        return self.connection.get(f"/{plural}/{id}")

    def newest(self, plural: str, id: int) -> JSON | None:
        """The resource, or None once it is gone."""
        try:
            return self.show(plural, id)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def items(
        self,
        plural: str,
        *,
        query: str | None = None,
        sort: str | None = None,
        limit: int | None = None,
        key: str = "spec.id",
    ) -> Iterator[JSON]:
        """All that fits, or the first `limit`. Without an order of one's own, none is missed and none comes
        twice, whatever is made or deleted meanwhile.
        """
        left = limit
        offset, after = 0, 0
        while left is None or left > 0:
            conditions = [f"({query})"] if query else []
            if sort is None and after:
                conditions.append(f"{key}:>{after}")
            size = _PAGE if left is None else min(_PAGE, left)
            found = self.connection.get(
                f"/{plural}",
                q=" AND ".join(conditions) or None,
                sort=sort or f"{key}:asc",
                limit=size,
                offset=offset or None,
            )
            items: list[JSON] = found["items"]
            yield from items
            if len(items) < size:
                return
            if left is not None:
                left -= len(items)
            if sort is None:
                after = id_of(items[-1])
            else:
                offset += len(items)

    def find(self, plural: str, text: str) -> int:
        """The id of what somebody means: an id, or a name. Raises Nameless and Ambiguous.

        Digits are an id; a name made of digits is written `name:123`.
        """
        if text.isascii() and text.isdecimal():
            return int(text)
        name = text.removeprefix("name:")
        if not name:
            raise BadArgument(reason="a name must not be empty")
        found = list(self.items(plural, query=f"spec.name:{quoted(name)}", limit=_CANDIDATES))
        if len(found) == 1:
            return id_of(found[0])
        if found:
            lines = [
                f"  {id_of(each)}  {each['metadata']['created_at'][:19]}"
                + (f"  project {each['metadata']['project_id']}" if "project_id" in each["metadata"] else "")
                for each in found
            ]
            count = f"{len(found)}" if len(found) < _CANDIDATES else "many"
            raise Ambiguous(name=name, count=count, plural=plural, candidates="\n".join(lines))
        similar = self.names(plural, name[:3], 5) if len(name) >= 3 else []
        hint = f"; there is {', '.join(similar)}" if similar else ""
        raise Nameless(plural=plural, name=name, hint=hint)

    def names(self, plural: str, beginning: str, limit: int) -> list[str]:
        """Names that begin so."""
        query = f"spec.name:{starting(beginning)}" if beginning else None
        found = self.items(plural, query=query, sort="spec.name", limit=limit)
        return [str(each["metadata"]["name"]) for each in found]

    def names_of(self, plural: str, ids: set[int]) -> dict[int, str]:
        """The names of these resources, as far as one may see them."""
        wanted = sorted(ids)[:200]  # a filter has at most 256 values
        if not wanted:
            return {}
        try:
            found = self.items(plural, query=f"spec.id:({' '.join(map(str, wanted))})")
            return {id_of(each): str(each["metadata"]["name"]) for each in found}
        except Refused:
            return {}

    def only(self, plural: str, option: str) -> int:
        """The id of the one resource there is, or of the one that is called `default`."""
        found = list(self.items(plural, limit=_CANDIDATES))
        if len(found) > 1:
            found = [each for each in found if each["metadata"]["name"] == "default"]
        if len(found) != 1:
            raise BadArgument(
                reason=f"say which of {plural} to take, with {option}",
                remedy=f"See them: stratal list {plural}",
            )
        return id_of(found[0])


def id_of(item: JSON) -> int:
    metadata: Any = item.get("metadata")
    return int(metadata["id"] if metadata else item["id"])


def quoted(text: str) -> str:
    """A text as a value of the query language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def starting(text: str) -> str:
    """A test for beginning with this text."""
    if re.fullmatch(r"[A-Za-z0-9_.-]+", text):
        return f"{text}*"
    literal = "".join(f"\\{each}" if each in string.punctuation else each for each in text)
    return f'~"{literal}.*"'


def _cache_directory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or ""
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "stratal" / "documents"
