"""Paths as clients write them, brought to the one form that is routed.

The documents write `/x/` and clients call `/x`; an action stands behind a slash or glued to the id; and the
document's navigation shows `:verb` in braces. All of these mean the same, and none is answered with a
redirect, since a redirected POST loses its body.
"""

import re

_GLUED = re.compile(r"^([^:/]+)(:[^/]+)$")
_BRACED = re.compile(r"^\{([a-z][a-z-]*)\}$")


def canonical(path: str) -> str:
    """`/vm-images/5:upload/` → `/vm-images/5/:upload`, `/users/{allow-login}` → `/users/:allow-login`."""
    if ":" not in path and "{" not in path:
        return path.rstrip("/") or "/"
    segments: list[str] = []
    for segment in path.rstrip("/").split("/"):
        braced = _BRACED.match(segment)
        glued = _GLUED.match(segment)
        if braced:
            segments.append(f":{braced[1]}")
        elif glued:
            segments += [glued[1], glued[2]]
        else:
            segments.append(segment)
    return "/".join(segments) or "/"
