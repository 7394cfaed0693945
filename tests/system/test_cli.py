"""The command line against a real server, as a person and as a script."""

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from command_line import CTRL_C, CommandLine
from running_server import RunningServer, running_server

pytestmark = pytest.mark.xdist_group("command line")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    directory = tmp_path_factory.mktemp("server")
    with running_server(directory, environment={"STRATAL_SIMULATE": "true"}) as running:
        yield running


@pytest.fixture(scope="module")
def cli(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Logged in, and waiting for what it asks for."""
    found = CommandLine(tmp_path_factory.mktemp("home"), STRATAL_WAIT="1")
    found("login", server.url, "--password-file", "-", typed=server.password + "\n")
    return found


def test_whoever_is_not_logged_in_is_told_how_to(tmp_path: Path) -> None:
    said = CommandLine(tmp_path)("volume", "list", code=3)
    assert "not logged in" in said.err
    assert "stratal login" in said.err


def test_a_wrong_password_is_refused_and_nothing_is_kept(server: RunningServer, tmp_path: Path) -> None:
    cli = CommandLine(tmp_path)
    said = cli("login", server.url, code=3, STRATAL_PASSWORD="wrong")
    assert "wrong" in said.err
    assert cli.json("context", "list") == []


def test_a_password_is_asked_for_at_a_terminal_and_not_shown(server: RunningServer, tmp_path: Path) -> None:
    cli = CommandLine(tmp_path)
    code, seen = cli.at_terminal("login", server.url, answers={"Password": server.password + "\n"})
    assert code == 0, seen
    assert server.password not in seen
    assert "admin is logged in" in seen
    assert cli.json("whoami")["user"] == "admin"


def test_a_token_ends_with_the_logout(server: RunningServer, tmp_path: Path) -> None:
    cli = CommandLine(tmp_path, STRATAL_PASSWORD=server.password)
    cli("login", server.url)
    state = json.loads(next(tmp_path.rglob("contexts.json")).read_text())
    token = state["contexts"]["default"]["token"]
    cli("logout")
    cli("whoami", code=3)
    cli("volume", "list", code=3, STRATAL_URL=server.url, STRATAL_TOKEN=token)
    assert token not in next(tmp_path.rglob("contexts.json")).read_text()


def test_a_server_that_is_not_there_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    said = CommandLine(tmp_path)("volume", "list", code=6, STRATAL_URL="http://127.0.0.1:1")
    assert "cannot be reached" in said.err


def test_a_volume_goes_through_its_life(cli: CommandLine) -> None:
    cli("volume", "create", "life", "--size", "1G")
    cli("volume", "snapshot", "life", "life-before")
    cli("volume", "snapshot", "life", "life-after")
    cli("volume", "clone", "life-copy", "--snapshot", "life-before")
    cli("volume", "rollback", "life", "life-before", "--yes")
    tree = cli("volume", "tree", "life").out.splitlines()
    assert tree[0].startswith("◆ snap life-before")
    branches = {line.rpartition(" (")[0].split()[-1] for line in tree[1:4]}
    assert branches == {"life", "life-copy", "life-after"}
    cli("volume", "resize", "life-copy", "+1G")
    cli("volume", "flatten", "life-copy")
    copy = cli.json("volume", "show", "life-copy")
    assert (copy["spec"]["size_mb"], copy["status"]["flattened"]) == (2048, True)
    rows = {row["NAME"]: row for row in cli("volume", "list", "-q", "spec.name:life*").rows()}
    assert (rows["life-copy"]["SIZE"], rows["life-copy"]["POLICY"]) == ("2 GiB", "default")
    cli("snap", "delete", "life-before", "life-after", "--yes")
    cli("volume", "delete", "life", "life-copy", "--yes")
    assert cli.json("volume", "list", "-q", "spec.name:life*") == []


def test_json_is_what_the_api_answers(cli: CommandLine, server: RunningServer) -> None:
    made = cli.json("volume", "create", "as-json", "--size", "64")
    id = made["metadata"]["id"]
    with closing(server.client()) as client:
        assert cli.json("volume", "show", "as-json") == client.get(f"/bs-volumes/{id}").json()
    assert [each["metadata"]["id"] for each in cli.json("volume", "list", "-q", "spec.name:as-json")] == [id]
    deleted = cli.json("volume", "delete", "as-json", "--yes")
    assert [each["metadata"]["id"] for each in deleted] == [id]


def test_errors_are_json_too_where_json_is_asked_for(cli: CommandLine) -> None:
    said = cli("volume", "list", "-q", "spec.nix:1", "--json", code=2)
    assert said.out == ""
    assert json.loads(said.err)["details"]["field"] == "q"


def test_a_name_that_two_have_is_an_error_that_lists_them(cli: CommandLine) -> None:
    first = cli.json("volume", "create", "twin", "--size", "64")["metadata"]["id"]
    cli("project", "create", "twins")
    cli("project", "add-user", "twins", "admin", "--role", "project_admin")
    cli("context", "project", "twins")
    second = cli.json("volume", "create", "twin", "--size", "64")["metadata"]["id"]
    cli("context", "project", "default")
    said = cli("volume", "show", "twin", code=2)
    assert f"  {first}  " in said.err
    assert f"  {second}  " in said.err
    assert cli.json("volume", "show", str(second))["metadata"]["id"] == second
    cli("volume", "delete", str(first), str(second), "--yes")


def test_a_name_that_nobody_has_is_answered_with_similar_ones(cli: CommandLine) -> None:
    cli("volume", "create", "similar-one", "--size", "64")
    said = cli("volume", "show", "similar", code=4)
    assert "similar-one" in said.err
    cli("volume", "delete", "similar-one", "--yes")


@pytest.mark.parametrize("name", ['with "quotes" and \\', "a*b", "123", "naïve – ünïcode", "(AND) OR"])
def test_any_name_that_a_resource_can_have_finds_it(cli: CommandLine, name: str) -> None:
    id = cli.json("project", "create", name)["metadata"]["id"]
    meant = f"name:{name}" if name.isdecimal() else name
    assert cli.json("project", "show", meant)["metadata"]["id"] == id
    cli("project", "delete", meant, "--yes")


def test_what_destroys_is_not_done_unasked(cli: CommandLine) -> None:
    cli("volume", "create", "dear", "--size", "64")
    said = cli("volume", "delete", "dear", code=2)
    assert "--yes" in said.err
    code, seen = cli.at_terminal("volume", "delete", "dear", answers={"Delete": "n\n"})
    assert code == 1
    assert "Delete dear" in seen
    code, _ = cli.at_terminal("volume", "delete", "dear", answers={"Delete": "y\n"})
    assert code == 0
    cli("volume", "show", "dear", code=4)


def test_the_generic_commands_know_every_kind_with_names_for_ids(cli: CommandLine) -> None:
    plurals = [row["kind"] for row in cli.json("kinds")]
    assert len(plurals) > 15
    for plural in ("audit-logs", "events", "nodes", "os-releases", "roles"):
        assert isinstance(cli.json("list", plural, "--limit", "2"), list), plural
    cli("create", "data-center", "name=north")
    cli("create", "rooms", "name=cellar", "data_center=north")
    room = cli.json("show", "room", "cellar")
    assert room["spec"]["data_center_id"] == cli.json("show", "data-centers", "north")["metadata"]["id"]
    cli("update", "rooms", "cellar", "description=cold", 'name:="cellar two"')
    assert cli.json("get", "rooms", "cellar two")["spec"]["description"] == "cold"
    said = cli("create", "rooms", "name=x", "nix=1", code=2)
    assert "data_center_id" in said.err
    cli("delete", "rooms", "cellar two", "--yes")
    cli("delete", "data-centers", "north", "--yes")


def test_an_action_takes_names_and_fields(cli: CommandLine) -> None:
    cli("volume", "create", "acted", "--size", "64")
    cli("snap", "create", "acted", "acted-snap")
    cli("act", "bs-volumes", "rollback", "acted", "bs_snap=acted-snap", "--yes")
    cli("act", "bs-volumes", "clone", "name=acted-clone", "bs_snap=acted-snap", "flatten=no")
    assert cli.json("volume", "show", "acted-clone")["spec"]["flattened"] is False
    said = cli("act", "bs-volumes", "explode", "acted", code=2)
    assert "rollback" in said.err
    cli("volume", "delete", "acted-clone", "--yes")
    cli("snap", "delete", "acted-snap", "--yes")
    cli("volume", "delete", "acted", "--yes")


def test_a_long_list_is_whole_and_a_limit_is_kept(cli: CommandLine, server: RunningServer) -> None:
    with closing(server.client()) as client:
        for number in range(30):
            client.post("/label-keys/", json={"spec": {"name": f"key-{number:02}"}})
    assert len(cli.json("list", "label-keys")) == 30
    last = cli.json("list", "label-keys", "--sort", "spec.name:desc", "--limit", "3")
    assert [each["metadata"]["name"] for each in last] == ["key-29", "key-28", "key-27"]
    rows = cli("list", "label-keys", "--limit", "2", "--columns", "id,SHORT=spec.name").rows()
    assert [row["SHORT"] for row in rows] == ["key-00", "key-01"]


def test_an_image_is_uploaded_made_a_volume_of_and_downloaded(cli: CommandLine, tmp_path: Path) -> None:
    content = os.urandom(3 * 2**20)
    (tmp_path / "disk.raw").write_bytes(content)
    image = cli.json("image", "upload", str(tmp_path / "disk.raw"), "--name", "up")
    assert image["status"]["upload_state"] == "finished"
    cli("image", "resume", "up", str(tmp_path / "disk.raw"))  # there is nothing left to do
    cli("volume", "create", "of-image", "--image", "up")
    assert cli.json("volume", "show", "of-image")["spec"]["size_mb"] == 3
    cli("image", "download", "up", str(tmp_path / "back.raw"), "--format", "raw")
    assert (tmp_path / "back.raw").read_bytes() == content
    cli("image", "download", "up", str(tmp_path / "back.raw"), "--format", "raw", code=2)
    cli("volume", "delete", "of-image", "--yes")
    cli("image", "delete", "up", "--yes")


def test_an_upload_that_was_interrupted_goes_on(
    cli: CommandLine, server: RunningServer, tmp_path: Path
) -> None:
    content = os.urandom(2 * 2**20)
    (tmp_path / "half.raw").write_bytes(content)
    with closing(server.client()) as client:
        spec = {"name": "half", "format": "raw", "size_byte": len(content)}
        id = client.post("/vm-images", json={"spec": spec}).json()["metadata"]["id"]
        headers = {"content-range": f"bytes 0-{2**20 - 1}/{len(content)}"}
        headers["content-type"] = "application/octet-stream"
        client.post(f"/vm-images/{id}/:upload", content=content[: 2**20], headers=headers)
    image = cli.json("image", "resume", "half", str(tmp_path / "half.raw"))
    assert image["status"]["upload_state"] == "finished"
    cli("image", "delete", "half", "--yes")


def test_an_upload_that_is_refused_ends_with_the_reason(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "no.qcow2").write_bytes(os.urandom(4096))
    said = cli("image", "upload", str(tmp_path / "no.qcow2"), "--format", "qcow2", code=2)
    assert "raw" in said.err
    cli("image", "delete", "no", "--yes")


def test_at_a_terminal_an_upload_has_a_bar_and_a_table_has_colours(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "seen.raw").write_bytes(os.urandom(2**20))
    code, seen = cli.at_terminal("image", "upload", str(tmp_path / "seen.raw"))
    assert code == 0
    assert "Uploading seen.raw" in seen
    assert "of 1 MiB" in seen
    _, seen = cli.at_terminal("image", "list")
    assert "\x1b[32mactive" in seen
    plain = CommandLine(Path(cli.environment["HOME"]), NO_COLOR="1")
    _, seen = plain.at_terminal("image", "list")
    assert "\x1b[32m" not in seen
    cli("image", "delete", "seen", "--yes")


def test_waiting_ends_when_the_time_is_over_and_says_that_it_goes_on(cli: CommandLine) -> None:
    said = cli("create", "vm-images", "name=waits", "format=raw", "--timeout", "0.5", code=7)
    assert "goes on at the server" in said.err
    cli("image", "delete", "waits", "--yes")


def test_ctrl_c_leaves_it_to_the_server_and_says_how_to_look(cli: CommandLine) -> None:
    code, seen = cli.at_terminal(
        "create", "vm-images", "name=leaves", "format=raw", answers={"Creating leaves": CTRL_C}
    )
    assert code == 130
    assert "goes on at the server" in seen
    assert "stratal show vm-images" in seen
    assert "Traceback" not in seen
    cli("image", "delete", "leaves", "--yes")


def test_users_are_made_without_a_password_on_the_command_line(cli: CommandLine, tmp_path: Path) -> None:
    cli("user", "create", "eve", "--password-file", "-", typed="correct horse\n")
    cli("project", "create", "garden")
    cli("project", "add-user", "garden", "eve", "--role", "observer")
    assert [row["NAME"] for row in cli("project", "users", "garden").rows()] == ["eve"]
    eve = CommandLine(tmp_path)
    url = cli.json("whoami")["url"]
    eve("login", url, "-u", "eve", "--project", "garden", "--password-file", "-", typed="correct horse\n")
    assert eve.json("whoami")["project"] == "garden"
    said = eve("project", "create", "mine", code=3)
    assert "role" in said.err
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("correct horse\n")
    new.write_text("battery staple\n")
    eve("password", "--old-file", str(old), "--new-file", str(new))
    eve("login", "--password-file", str(new))
    cli("user", "lock", "eve", "--yes")
    eve("login", "--password-file", str(new), code=3)
    cli("project", "remove-user", "garden", "eve", "--yes")
    cli("user", "delete", "eve", "--yes")


def test_the_journal_shows_the_newest_last(cli: CommandLine) -> None:
    cli("project", "create", "journaled")
    assert cli("event", "list", "--limit", "1").rows()[0]["RESOURCE"] == "journaled"
    audits = cli.json("audit", "list", "-q", "action:create", "--limit", "5")
    assert audits[-1]["resource_name"] == "journaled"
    assert [each["id"] for each in audits] == sorted(each["id"] for each in audits)
    cli("project", "delete", "journaled", "--yes")


def test_the_shell_completes_names_kinds_and_commands(cli: CommandLine) -> None:
    def completed(words: str) -> list[str]:
        count = str(len(words.split(" ")) - 1)
        said = cli(_STRATAL_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=count)
        return said.out.split()

    cli("volume", "create", "completed", "--size", "64")
    assert completed("stratal volume show comp") == ["completed"]
    assert completed("stratal volume sh") == ["show"]
    assert completed("stratal list bs-v") == ["bs-volumes"]
    assert "volume" in completed("stratal ")
    cli("volume", "delete", "completed", "--yes")


def test_completion_is_silent_where_nobody_is_logged_in(tmp_path: Path) -> None:
    words = "stratal volume show "
    said = CommandLine(tmp_path)(_STRATAL_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="3")
    assert (said.out.strip(), said.err) == ("", "")
