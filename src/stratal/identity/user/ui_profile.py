"""What may be in a UI profile: any JSON that every database can keep. Called by the user service."""

from typing import Any, Final, cast

MAX_PROFILE_BYTES: Final = 65536
"""Size of a whole profile as JSON."""

MAX_DEPTH: Final = 32
"""Objects and arrays in each other. Encoders recurse, each with a limit of its own."""


def profile_problem(profile: dict[str, Any]) -> str | None:
    """Why this cannot be kept, as words to show, or None if it can."""
    level: list[Any] = [profile]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                members = cast(dict[str, Any], value)
                below += [*members, *members.values()]
            elif isinstance(value, list):
                below += cast(list[Any], value)
            elif isinstance(value, str) and "\0" in value:
                return "must not contain the NUL character"
        if not below:
            return None
        level = below
    return f"must not be nested more than {MAX_DEPTH} levels deep"
