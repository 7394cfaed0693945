"""Tokens: how long they are good for, what ends them, and how they are kept; projects; guests."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from identity_world import PASSWORD, add_member, log_in, make_user, role_id, with_token

from running_server import Client, RunningServer, running_server

pytestmark = pytest.mark.xdist_group("sessions")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("sessions")) as running:
        yield running


@pytest.fixture(scope="module")
def root(server: RunningServer) -> Iterator[Client]:
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def project(root: Client, unique: Callable[[str], str]) -> int:
    return root.create("projects", name=unique("project"))["metadata"]["id"]


@pytest.fixture
def user(root: Client, unique: Callable[[str], str]) -> tuple[int, str]:
    name = unique("user")
    return make_user(root, name), name


def alive(session: Client) -> bool:
    status = session.get("/version").status_code
    assert status in (200, 401)
    return status == 200


# -- ends ----------------------------------------------------------------------------------------------


def test_a_logout_ends_this_token_and_no_other(root: Client, user: tuple[int, str]) -> None:
    first, second = (with_token(root, log_in(root, user[1])) for _ in range(2))
    answer = first.post("/tokens/:logout")
    assert answer.status_code == 204
    assert answer.content == b""
    assert not alive(first)
    assert alive(second)
    assert first.post("/tokens/:logout").status_code == 401


def test_a_token_expires_when_the_settings_say(
    root: Client, server: RunningServer, user: tuple[int, str]
) -> None:
    assert root.patch("/settings", json={"spec": {"session_timeout": 60}}).status_code == 202
    answer = log_in(root, user[1])
    assert root.patch("/settings", json={"spec": {"session_timeout": 28_800}}).status_code == 202
    expires = datetime.fromisoformat(answer.json()["expires"])
    assert 50 < (expires - datetime.now(UTC)).total_seconds() <= 60
    session = with_token(root, answer)
    assert alive(session)
    # nobody waits a minute: the clock is moved by moving what it is compared with
    with sqlite3.connect(server.directory / "data/stratal.db", timeout=10) as database:
        database.execute(
            "UPDATE token SET expires_at = '2020-01-01T00:00:00.000000Z' WHERE user_id = ?", (user[0],)
        )
    assert not alive(session)


@pytest.mark.parametrize(
    "change",
    [
        {"enabled": False},
        {"password": "quite another one"},
    ],
    ids=["disabling", "another password"],
)
def test_what_an_administrator_changes_of_a_user_ends_their_sessions(
    root: Client, user: tuple[int, str], change: dict[str, object]
) -> None:
    session = with_token(root, log_in(root, user[1]))
    assert root.patch(f"/users/{user[0]}", json={"spec": change}).status_code == 202
    assert not alive(session)
    assert log_in(root, user[1]).status_code == 401


def test_a_user_who_was_disabled_and_enabled_again_has_to_log_in_again(
    root: Client, user: tuple[int, str]
) -> None:
    session = with_token(root, log_in(root, user[1]))
    for enabled in (False, True):
        assert root.patch(f"/users/{user[0]}", json={"spec": {"enabled": enabled}}).status_code == 202
    assert not alive(session)
    assert log_in(root, user[1]).status_code == 201


def test_locking_a_user_out_ends_their_sessions(root: Client, user: tuple[int, str]) -> None:
    session = with_token(root, log_in(root, user[1]))
    assert root.post(f"/users/{user[0]}/:allow-login", json={"spec": {"allowed": False}}).status_code == 202
    assert not alive(session)


def test_deleting_a_user_ends_their_sessions_and_memberships(
    root: Client, user: tuple[int, str], project: int
) -> None:
    add_member(root, project, user[0])
    session = with_token(root, log_in(root, user[1], project_id=project))
    assert root.delete(f"/users/{user[0]}").status_code == 202
    assert not alive(session)
    root.gone("users", user[0])
    assert root.get(f"/projects/{project}/users").json()["items"] == []
    assert log_in(root, user[1]).status_code == 401


def test_a_new_user_of_the_same_name_inherits_nothing(root: Client, user: tuple[int, str]) -> None:
    session = with_token(root, log_in(root, user[1]))
    root.delete(f"/users/{user[0]}")
    root.gone("users", user[0])
    again = make_user(root, user[1], password="the second of the name")
    assert again != user[0]
    assert not alive(session)
    assert log_in(root, user[1]).status_code == 401
    assert log_in(root, user[1], "the second of the name").status_code == 201


# -- projects ------------------------------------------------------------------------------------------


def test_removing_a_member_ends_the_tokens_for_that_project_only(
    root: Client, user: tuple[int, str], project: int, unique: Callable[[str], str]
) -> None:
    other = root.create("projects", name=unique("project"))["metadata"]["id"]
    for each in (project, other):
        add_member(root, each, user[0])
    inside = with_token(root, log_in(root, user[1], project_id=project))
    elsewhere = with_token(root, log_in(root, user[1], project_id=other))
    answer = root.post(f"/projects/{project}/:remove-user", json={"spec": {"user_id": user[0]}})
    assert answer.status_code == 202
    assert not alive(inside)
    assert alive(elsewhere)
    refused = log_in(root, user[1], project_id=project)
    assert refused.status_code == 400
    assert refused.json()["details"]["field"] == "spec.project_id"


def test_closing_a_project_shuts_its_members_out(root: Client, user: tuple[int, str], project: int) -> None:
    add_member(root, project, user[0])
    session = with_token(root, log_in(root, user[1], project_id=project))
    assert root.patch(f"/projects/{project}", json={"spec": {"enabled": False}}).status_code == 202
    assert not alive(session)
    assert log_in(root, user[1], project_id=project).status_code == 400
    assert root.patch(f"/projects/{project}", json={"spec": {"enabled": True}}).status_code == 202
    assert log_in(root, user[1], project_id=project).status_code == 201


def test_a_change_of_role_holds_for_the_tokens_that_there_are(
    root: Client, user: tuple[int, str], project: int, unique: Callable[[str], str]
) -> None:
    add_member(root, project, user[0], "project_member")
    session = with_token(root, log_in(root, user[1], project_id=project))
    assert session.post("/label-keys", json={"spec": {"name": unique("key")}}).status_code == 202
    path = f"/users/{user[0]}/projects/{project}/:set-role"
    assert root.post(path, json={"spec": {"role_id": role_id(root, "observer")}}).status_code == 202
    assert session.post("/label-keys", json={"spec": {"name": unique("key")}}).status_code == 403
    assert session.get("/label-keys").status_code == 200


def test_a_token_is_swapped_for_one_of_another_project_and_lists_show_that_one(
    root: Client, user: tuple[int, str], project: int, unique: Callable[[str], str]
) -> None:
    other = root.create("projects", name=unique("project"))["metadata"]["id"]
    for each in (project, other):
        add_member(root, each, user[0])
    session = with_token(root, log_in(root, user[1], project_id=project))
    key = session.create("label-keys", name="of the first")
    assert key["metadata"]["project_id"] == project
    answer = session.post("/tokens/:reauth-in-project", json={"spec": {"project_id": other}})
    assert answer.status_code == 201
    assert answer.json()["project_id"] == other
    assert answer.json()["roles"] == ["project_member"]
    assert not alive(session)
    swapped = with_token(root, answer)
    assert swapped.get("/label-keys").json()["items"] == []
    assert swapped.get(f"/label-keys/{key['metadata']['id']}").status_code == 404


def test_nobody_swaps_into_a_project_that_is_not_theirs_and_the_token_stays(
    root: Client, user: tuple[int, str], project: int
) -> None:
    session = with_token(root, log_in(root, user[1]))
    answers = [
        session.post("/tokens/:reauth-in-project", json={"spec": {"project_id": each}})
        for each in (project, 987_654)
    ]
    messages = [
        answer.json()["message"].replace(str(each), "<id>")
        for answer, each in zip(answers, (project, 987_654), strict=True)
    ]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert messages[0] == messages[1]
    assert alive(session)


def test_a_login_is_for_the_default_project_unless_it_says_otherwise(
    root: Client, user: tuple[int, str], project: int
) -> None:
    add_member(root, project, user[0])
    assert "project_id" not in log_in(root, user[1]).json()
    session = with_token(root, log_in(root, user[1]))
    path = f"/users/{user[0]}/:set-default-project"
    assert session.post(path, json={"spec": {"project_id": project}}).status_code == 202
    assert log_in(root, user[1]).json()["project_id"] == project
    root.post(f"/projects/{project}/:remove-user", json={"spec": {"user_id": user[0]}})
    answer = log_in(root, user[1])
    assert answer.status_code == 201
    assert "project_id" not in answer.json()


def test_deleting_a_project_ends_its_tokens_and_is_refused_while_something_is_in_it(
    root: Client, user: tuple[int, str], project: int
) -> None:
    add_member(root, project, user[0])
    session = with_token(root, log_in(root, user[1], project_id=project))
    key = session.create("label-keys", name="still there")["metadata"]["id"]
    refused = root.delete(f"/projects/{project}")
    assert refused.status_code == 409
    assert "1 label_key" in refused.json()["message"]
    assert session.delete(f"/label-keys/{key}").status_code == 202
    session.gone("label-keys", key)
    assert root.delete(f"/projects/{project}").status_code == 202
    assert not alive(session)
    root.gone("projects", project)
    assert root.get(f"/users/{user[0]}/projects").json()["items"] == []


def test_a_token_without_a_project_makes_nothing_that_needs_one(
    root: Client, unique: Callable[[str], str]
) -> None:
    name = unique("rootless")
    make_user(root, name, "system_admin")
    session = with_token(root, log_in(root, name))
    answer = session.post("/label-keys", json={"spec": {"name": "homeless"}})
    assert answer.status_code == 409
    assert ":reauth-in-project" in answer.json()["message"]


# -- how they are kept ---------------------------------------------------------------------------------


def test_no_token_can_be_found_in_the_database(
    root: Client, server: RunningServer, user: tuple[int, str]
) -> None:
    token = log_in(root, user[1]).json()["uuid"]
    files = [path for path in (server.directory / "data").rglob("*") if path.is_file()]
    assert any(path.name == "stratal.db" for path in files)
    for path in files:
        assert token.encode() not in path.read_bytes(), path


def test_a_session_outlives_a_restart(tmp_path: Path) -> None:
    with running_server(tmp_path) as first:
        token = first.client().headers["x-sddc-token"]
    with running_server(tmp_path) as second:
        client = Client(second.url)
        client.headers["x-sddc-token"] = token
        assert alive(client)


# -- guests --------------------------------------------------------------------------------------------


def test_without_a_setting_nobody_gets_in_without_a_token(root: Client) -> None:
    answer = httpx.get(f"{str(root.base_url).rstrip('/')}/version")
    assert answer.status_code == 401
    assert "x-sddc-token" in answer.json()["message"]


def test_guests_act_as_the_user_that_is_set_and_no_more(
    impatient_server: RunningServer, unique: Callable[[str], str]
) -> None:
    root = impatient_server.client()
    guest = Client(impatient_server.url)
    before = guest.get("/version")
    assert before.status_code == 401
    id = make_user(root, "guest")
    project = root.create("projects", name=unique("open house"))["metadata"]["id"]
    add_member(root, project, id, "observer")
    root.post(f"/users/{id}/:set-default-project", json={"spec": {"project_id": project}})
    assert guest.get("/version").status_code == 200
    assert guest.get("/label-keys").status_code == 200
    assert guest.post("/label-keys", json={"spec": {"name": "x"}}).status_code == 403
    assert guest.get("/data-centers").status_code == 403
    assert [each["metadata"]["name"] for each in guest.get("/users").json()["items"]] == ["guest"]
    # what is there for a guest is no token
    assert guest.post("/tokens/:logout").status_code == 401
    assert guest.post("/tokens/:reauth-in-project", json={"spec": {"project_id": project}}).status_code == 401
    # a wrong token is not the same as none
    assert guest.get("/version", headers={"x-sddc-token": "0" * 32}).status_code == 401
    refused = guest.patch(f"/users/{id}", json={"spec": {"password": PASSWORD + "!"}})
    assert refused.status_code in (400, 401, 403)
    root.patch(f"/users/{id}", json={"spec": {"enabled": False}})
    assert guest.get("/version").status_code == 401
