"""What goes wrong for somebody at the command line, with the exit code that scripts go by.

docs/cli.md lists the codes. Codes 1 (anything else), 2 (usage) and 130 (Ctrl-C) come from elsewhere too.
"""

from typing import Any, ClassVar, cast

from stratal.kernel.errors import StratalError


class ClientError(StratalError):
    """Base of all errors of the client."""

    code = "client_error"
    exit_code: ClassVar[int] = 1

    @property
    def advice(self) -> str:
        """What can be done about it."""
        return str(self.fields.get("remedy") or self.remedy)


class BadArgument(ClientError):
    """What was typed cannot be meant."""

    code = "bad_argument"
    exit_code = 2


class Ambiguous(ClientError):
    """A name that several resources have."""

    code = "ambiguous"
    template = "{name} is the name of {count} {plural}:\n{candidates}"
    remedy = "Give the id of the one that you mean."
    exit_code = 2


class NotLoggedIn(ClientError):
    code = "not_logged_in"
    template = "you are not logged in{where}"
    remedy = "Run: stratal login"
    exit_code = 3


class Nameless(ClientError):
    """No resource has this name."""

    code = "not_found"
    template = "none of {plural} is called {name}{hint}"
    remedy = "List them to see which ones there are."
    exit_code = 4


class Unreachable(ClientError):
    code = "unreachable"
    template = "{url} cannot be reached: {reason}"
    remedy = (
        "See whether the server runs (stratal up) and whether the address is right (stratal context list)."
    )
    exit_code = 6


class StillGoing(ClientError):
    """The waiting ended before what is waited for."""

    code = "still_going"
    template = "{what} is not done after {seconds:.0f} s{why}; it goes on at the server"
    exit_code = 7


class WentWrong(ClientError):
    """The server took the request, and then could not do it."""

    code = "failed"
    template = "{what} failed: {reason}"
    exit_code = 8


class Stuck(ClientError):
    """One and the same problem has kept it for long."""

    code = "stuck"
    template = "{what} does not get on: {reason}; the server goes on trying"
    exit_code = 8


class Refused(ClientError):
    """The server's answer to a request that it does not carry out."""

    code = "refused"
    template = "{message}"

    def __init__(self, *, status: int, body: Any) -> None:
        problem = cast(dict[str, Any], body) if isinstance(body, dict) else {}
        details: Any = problem.get("details") or {}
        self.status = status
        self.problem = problem
        super().__init__(
            message=problem.get("message") or f"the server answered {status}",
            remedy=details.get("remedy"),
            request_id=details.get("request_id"),
        )


EXIT_OF_STATUS = {
    **dict.fromkeys((400, 413, 415), 2),
    **dict.fromkeys((401, 403), 3),
    404: 4,
    **dict.fromkeys((409, 412), 5),
    **dict.fromkeys((408, 502, 503, 504), 6),
}


def exit_code_of(error: StratalError) -> int:
    """The exit code that an error ends the command with."""
    if isinstance(error, Refused):
        return EXIT_OF_STATUS.get(error.status, 1)
    return error.exit_code if isinstance(error, ClientError) else 1


def as_json(error: StratalError) -> dict[str, Any]:
    """The error as `--json` shows it: the shape of the API's own errors."""
    if isinstance(error, Refused) and error.problem:
        return error.problem
    advice = error.advice if isinstance(error, ClientError) else error.remedy
    return {"message": error.message, "code": error.code, "details": {"remedy": advice} if advice else {}}
