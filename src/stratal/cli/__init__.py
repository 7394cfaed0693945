"""The `stratal` command: a server, and a client of the NeutonOS face.

The client's commands speak HTTP and nothing else, wherever the server is.
"""

import json
import os
import sys

from stratal.kernel.errors import StratalError


def main() -> None:
    """Run the command; a typed error ends it with its message, what can be done, and its exit code."""
    from stratal.cli.commands.root import command

    try:
        command()(prog_name="stratal")
    except StratalError as error:
        sys.exit(_report(error))
    except BrokenPipeError:
        # whoever read it has seen enough; the interpreter must not complain of it when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("STRATAL_DEBUG") or sys.argv[1:2] in (["serve"], ["up"]):
            raise
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        print(f"stratal: a defect, not a mistake of yours: {what}", file=sys.stderr)
        print("Please report it, with what STRATAL_DEBUG=1 shows.", file=sys.stderr)
        sys.exit(1)


def _report(error: StratalError) -> int:
    """Say what is wrong, and return the exit code."""
    from stratal.cli.client.errors import ClientError, as_json, exit_code_of

    if "--json" in sys.argv[1:]:
        print(json.dumps(as_json(error), ensure_ascii=False), file=sys.stderr)
    else:
        print(f"stratal: {error.message}", file=sys.stderr)
        advice = error.advice if isinstance(error, ClientError) else error.remedy
        if advice:
            print(advice, file=sys.stderr)
    return exit_code_of(error)
