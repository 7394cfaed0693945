"""What the README tells a new user to type, typed."""

import json
import os
import re
import subprocess
from pathlib import Path

from running_server import running_server

README = Path(__file__).parents[2] / "README.md"
_TOUR = re.compile(r"<!-- tour:.*?-->(.*?)<!-- end of the tour -->", re.DOTALL)
_COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_commands_of_the_readme_log_in_create_list_and_show_the_audit_trail(tmp_path: Path) -> None:
    tour = _TOUR.search(README.read_text())
    assert tour is not None
    commands = _COMMANDS.findall(tour[1])
    with running_server(tmp_path) as server:
        script = "set -eu\n" + "\necho; echo ---; sleep 1\n".join(commands)  # a person is not quicker
        script = script.replace("http://127.0.0.1:6012/sddc/v1", server.url)
        done = subprocess.run(
            ["bash", "-c", script],
            env={**os.environ, "PASSWORD": server.password},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr
    _, _, project, data_centre, found, audit = [part.strip() for part in done.stdout.split("---")]
    assert json.loads(project)["spec"]["name"] == "web"
    assert json.loads(data_centre)["spec"]["name"] == "north"
    assert [item["spec"]["name"] for item in json.loads(found)["items"]] == ["north"]
    actions = [(row["resource_type"], row.get("resource_name")) for row in json.loads(audit)["items"]]
    assert actions[:2] == [("data_center", "north"), ("project", "web")]
