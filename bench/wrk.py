"""Closed-loop load by wrk: as many requests as some connections can carry, with every status checked."""

import json
import subprocess
import tempfile
from dataclasses import dataclass

_SCRIPT = r"""
local method, path, token = %(method)s, %(path)s, %(token)s
local first, count, n, expect = %(first)d, %(count)d, %(seed)d, %(expect)d
local headers = { ["x-sddc-token"] = token, ["content-type"] = "application/json" }
as_expected, otherwise, example = 0, 0, ""

function request()
  n = n + 1
  local target = string.format(path, first + n %% count)
  if method == "GET" then return wrk.format(method, target, headers) end
  return wrk.format(method, target, headers, string.format('{"spec":{"description":"change %%d"}}', n))
end

function response(status, _, body)
  if status == expect then
    as_expected = as_expected + 1
  else
    otherwise, example = otherwise + 1, status .. " " .. body
  end
end

local the_thread
function setup(thread) the_thread = thread end

function done(summary)
  local errors = summary.errors
  io.write(string.format("\nRESULT %%d %%d %%f %%d %%s\n",
    the_thread:get("as_expected"), the_thread:get("otherwise"), summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.timeout, the_thread:get("example")))
end
"""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a run of wrk saw. All answers had the status that was expected."""

    requests: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def run(
    url: str,
    *,
    token: str,
    method: str,
    path: str,
    first: int,
    count: int,
    seed: int,
    connections: int,
    seconds: float,
    expect: int,
) -> Load:
    """Send requests for `seconds` and return what came of it.

    `path` holds a %d for the id: those from `first` on take turns, `count` of them. `seed` makes the
    descriptions of one run differ from those of others, so that each PATCH is a real change. Raises
    RuntimeError when a request was answered with anything but `expect`, or not at all.
    """
    values = {
        **{name: json.dumps(text) for name, text in (("method", method), ("path", path), ("token", token))},
        "first": first,
        "count": count,
        "seed": seed,
        "expect": expect,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT % values)
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", script.name, url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    result = next((line for line in done.stdout.splitlines() if line.startswith("RESULT ")), None)
    if result is None:
        raise RuntimeError(f"wrk failed:\n{done.stdout}{done.stderr}")
    _, good, bad, took, broken, *example = result.split(maxsplit=5)
    if int(bad) or int(broken) or not int(good):
        raise RuntimeError(
            f"{method} {path}: {good} × {expect}, {bad} others, {broken} without an answer {example}"
        )
    return Load(requests=int(good), seconds=float(took))
