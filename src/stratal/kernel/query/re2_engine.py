"""The one place that touches google-re2, which has no types. Called by `regex` and `dialect`.

RE2 matches in time linear in the text whatever the pattern, so no request can stall the process with one.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from functools import lru_cache
from typing import Protocol, cast

import re2

_MAXIMUM_MEMORY_BYTES = 2 * 1024 * 1024
_CACHED_PATTERNS = 64


class CompiledPattern(Protocol):
    """A compiled regular expression."""

    def fullmatch(self, text: bytes) -> object | None:
        """Something if the whole of `text`, in UTF-8, matches; None if not."""
        ...


class PatternError(Exception):
    """The pattern cannot be used; the text says why."""


@lru_cache(maxsize=_CACHED_PATTERNS)
def compile_pattern(pattern: str) -> CompiledPattern:
    """`pattern` compiled so that it means what PostgreSQL takes it to mean. Raises PatternError."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.dot_nl = True  # in PostgreSQL a dot matches a line break
    options.max_mem = _MAXIMUM_MEMORY_BYTES
    try:
        return cast(CompiledPattern, re2.compile(pattern, options))
    except re2.error as error:
        reason = error.args[0] if error.args else "refused"
        raise PatternError(
            reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        ) from None
