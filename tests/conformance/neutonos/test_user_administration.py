"""What users change of themselves, what administrators change of users, and who must not."""

from collections.abc import Callable, Iterator

import pytest
from identity_world import (
    PASSWORD,
    Encryption,
    add_member,
    eventually,
    log_in,
    make_user,
    role_id,
    with_token,
)

from running_server import Client, RunningServer, running_server

pytestmark = pytest.mark.xdist_group("users")
NEW = "a password that is new"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("users")) as running:
        yield running


@pytest.fixture(scope="module")
def root(server: RunningServer) -> Iterator[Client]:
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def person(root: Client, unique: Callable[[str], str]) -> tuple[int, str, Client]:
    """A user without a role: the id, the name, and a session."""
    name = unique("person")
    id = make_user(root, name)
    return id, name, with_token(root, log_in(root, name))


@pytest.fixture(scope="module")
def security(root: Client) -> Client:
    make_user(root, "security", "security_admin")
    return with_token(root, log_in(root, "security"))


@pytest.fixture(scope="module")
def second_root(root: Client) -> int:
    """A system administrator beside the first one."""
    return make_user(root, "second root", "system_admin")


# -- one's own password --------------------------------------------------------------------------------


def test_changing_ones_own_password_needs_the_original(root: Client, person: tuple[int, str, Client]) -> None:
    id, name, session = person
    for spec, field in (
        ({"password": NEW}, "spec.encrypted_original_password"),
        ({"password": NEW, "original_password": "wrong"}, "spec.encrypted_original_password"),
        ({"original_password": PASSWORD}, "spec"),
    ):
        answer = session.patch(f"/users/{id}", json={"spec": spec})
        assert answer.status_code == 400, spec
        assert answer.json()["details"]["field"] == field
    assert log_in(root, name, NEW).status_code == 401
    spec = {"password": NEW, "original_password": PASSWORD}
    assert session.patch(f"/users/{id}", json={"spec": spec}).status_code == 202
    assert session.get("/version").status_code == 200, "the session that changed it goes on"
    assert log_in(root, name, PASSWORD).status_code == 401
    assert log_in(root, name, NEW).status_code == 201


def test_ones_own_password_may_be_changed_encrypted(root: Client, person: tuple[int, str, Client]) -> None:
    id, name, session = person
    encryption = Encryption(session)
    spec = {**encryption.fields(NEW), "encrypted_original_password": encryption.of("wrong")}
    assert session.patch(f"/users/{id}", json={"spec": spec}).status_code == 400
    spec["encrypted_original_password"] = encryption.of(PASSWORD)
    assert session.patch(f"/users/{id}", json={"spec": spec}).status_code == 202
    assert log_in(root, name, NEW).status_code == 201


def test_an_administrator_needs_the_original_of_their_own_password_too(
    root: Client, server: RunningServer
) -> None:
    assert root.patch("/users/1", json={"spec": {"password": NEW}}).status_code == 400
    assert log_in(root, "admin", server.password).status_code == 201


NEW_PASSWORDS: dict[str, str] = {
    "too short": "1234567",
    "too long": "x" * 1025,
    "with NUL": "12345\x006789",
    "the name": "Gertrude",
}


@pytest.mark.parametrize("what", NEW_PASSWORDS)
@pytest.mark.parametrize("encrypted", [False, True], ids=["clear", "encrypted"])
def test_a_new_password_must_be_fit_to_be_one(root: Client, what: str, encrypted: bool) -> None:
    password = NEW_PASSWORDS[what]
    if encrypted and len(password) > 100:
        return  # more than one block of RSA holds
    spec = Encryption(root).fields(password) if encrypted else {"password": password}
    answer = root.post("/users", json={"spec": {"name": "gertrude", **spec}})
    assert answer.status_code == 400
    field = "spec.encrypted_password" if encrypted else "spec.password"
    assert answer.json()["details"]["field"] == field


def test_a_password_of_a_few_bits_of_unicode_is_a_password(
    root: Client, unique: Callable[[str], str]
) -> None:
    name = unique("polyglot")
    make_user(root, name, password="пароль🔑密码 ok")
    assert log_in(root, name, "пароль🔑密码 ok").status_code == 201


def test_a_user_checks_their_own_password_once_more(person: tuple[int, str, Client]) -> None:
    session = person[2]
    encryption = Encryption(session)
    for spec, valid in (
        ({"password": PASSWORD}, True),
        ({"password": "wrong"}, False),
        (encryption.fields(PASSWORD), True),
        (encryption.fields("wrong"), False),
    ):
        answer = session.post("/users/:verify-password", json={"spec": spec})
        assert answer.status_code == 200
        assert answer.json() == {"valid": valid}


def test_a_user_may_do_next_to_nothing_before_the_password_is_changed(
    root: Client, unique: Callable[[str], str]
) -> None:
    name = unique("newcomer")
    id = make_user(root, name, "system_admin", force_password_change=True)
    session = with_token(root, log_in(root, name))
    for method, path in (
        ("GET", "/version"),
        ("GET", "/users"),
        ("POST", "/data-centers"),
        ("GET", "/roles"),
    ):
        answer = session.request(
            method, path, **({} if method == "GET" else {"json": {"spec": {"name": "x"}}})
        )
        assert answer.status_code == 403, path
        assert answer.json()["code"] == "password_change_required"
    assert session.get(f"/users/{id}").json()["spec"]["force_password_change"] is True
    q = f"user_id:{id} AND resource_type:data_center AND status:failed"
    assert len(root.get("/audit-logs", params={"q": q}).json()["items"]) == 1
    assert session.patch(f"/users/{id}", json={"spec": {"description": "no way round"}}).status_code == 202
    assert session.get("/version").status_code == 403
    spec = {"password": NEW, "original_password": PASSWORD}
    answer = session.patch(f"/users/{id}", json={"spec": spec})
    assert answer.status_code == 202
    assert answer.json()["spec"]["force_password_change"] is False
    assert session.get("/version").status_code == 200


# -- what users change of themselves -------------------------------------------------------------------


@pytest.mark.parametrize("field", ["name", "enabled"])
def test_users_do_not_change_of_themselves_what_administrators_decide(
    person: tuple[int, str, Client], field: str
) -> None:
    id, _, session = person
    value = {"name": "admin 2", "enabled": True}[field]
    answer = session.patch(f"/users/{id}", json={"spec": {field: value, "description": "smuggled"}})
    assert answer.status_code == 403
    seen = session.get(f"/users/{id}").json()["spec"]
    assert seen["description"] == ""


@pytest.mark.parametrize("field", ["role_id", "login_allowed", "force_password_change", "default_project_id"])
def test_an_update_takes_no_rights(root: Client, person: tuple[int, str, Client], field: str) -> None:
    id, _, session = person
    for client in (session, root):
        answer = client.patch(f"/users/{id}", json={"spec": {field: 1}})
        assert answer.status_code == 400
        assert answer.json()["details"]["field"] == f"spec.{field}"


def test_users_describe_themselves(person: tuple[int, str, Client]) -> None:
    id, _, session = person
    spec = {"description": "who I am", "email": "me@example.org"}
    answer = session.patch(f"/users/{id}", json={"spec": spec})
    assert answer.status_code == 202
    assert spec.items() <= answer.json()["spec"].items()


# -- the console's notes -------------------------------------------------------------------------------


def test_a_profile_is_merged_by_its_keys_and_null_removes_one(person: tuple[int, str, Client]) -> None:
    id, _, session = person
    path = f"/users/{id}/:ui-profile"
    assert session.get(path).json() == {"profile": {}}
    for change, expected in (
        ({"theme": "dark", "columns": ["name", "state"]}, {"theme": "dark", "columns": ["name", "state"]}),
        ({"theme": "light"}, {"theme": "light", "columns": ["name", "state"]}),
        ({"columns": None, "none": None}, {"theme": "light"}),
        ({}, {"theme": "light"}),
    ):
        answer = session.patch(path, json={"spec": {"profile": change}})
        assert answer.status_code == 202
        assert answer.json() == session.get(path).json() == {"profile": expected}


def test_a_profile_has_room_for_64_kibibytes_and_no_more(person: tuple[int, str, Client]) -> None:
    id, _, session = person
    path = f"/users/{id}/:ui-profile"
    fits = {"a": "x" * (65536 - len('{"a":""}'))}
    assert session.patch(path, json={"spec": {"profile": fits}}).status_code == 202
    answer = session.patch(path, json={"spec": {"profile": {"b": 1}}})
    assert answer.status_code == 400
    assert answer.json()["details"]["field"] == "spec.profile"
    assert session.get(path).json() == {"profile": fits}


# -- climbing ------------------------------------------------------------------------------------------


def test_a_security_administrator_makes_users_of_every_role_but_system_administrators(
    root: Client, security: Client, unique: Callable[[str], str]
) -> None:
    for role, status in (("security_admin", 202), ("auditor", 202), ("system_admin", 403)):
        name = unique(role)
        spec = {"name": name, "password": PASSWORD, "role_id": role_id(root, role)}
        assert security.post("/users", json={"spec": spec}).status_code == status
        assert log_in(root, name).status_code == (201 if status == 202 else 401)


@pytest.mark.parametrize(
    ("method", "path", "spec"),
    [
        ("PATCH", "", {"password": NEW}),
        ("PATCH", "", {"enabled": False}),
        ("PATCH", "", {"email": "phisher@example.org"}),
        ("PATCH", "", {"name": "renamed"}),
        ("DELETE", "", None),
        ("POST", "/:allow-login", {"allowed": False}),
        ("POST", "/:allow-login", {"allowed": True}),
        ("POST", "/:set-default-project", {"project_id": 1}),
    ],
)
def test_a_security_administrator_does_not_touch_a_system_administrator(
    root: Client, security: Client, second_root: int, method: str, path: str, spec: dict[str, object] | None
) -> None:
    before = root.get(f"/users/{second_root}").json()["spec"]
    body = {} if spec is None else {"json": {"spec": spec}}
    answer = security.request(method, f"/users/{second_root}{path}", **body)
    assert answer.status_code == 403
    assert root.get(f"/users/{second_root}").json()["spec"] == before
    assert log_in(root, "second root").status_code == 201


def test_a_role_in_a_project_is_no_role_of_the_installation_and_the_other_way_round(
    root: Client, person: tuple[int, str, Client]
) -> None:
    project = root.create("projects", name=f"of {person[1]}")["metadata"]["id"]
    for role in ("system_admin", "security_admin", "auditor"):
        spec = {"user_id": person[0], "role_id": role_id(root, role)}
        answer = root.post(f"/projects/{project}/:add-user", json={"spec": spec})
        assert answer.status_code == 400
        assert answer.json()["details"]["field"] == "spec.role_id"
    for role in ("project_admin", "project_member", "observer"):
        spec = {"name": "x", "password": PASSWORD, "role_id": role_id(root, role)}
        assert root.post("/users", json={"spec": spec}).json()["details"]["field"] == "spec.role_id"
    add_member(root, project, person[0])
    path = f"/users/{person[0]}/projects/{project}/:set-role"
    spec = {"role_id": role_id(root, "system_admin")}
    assert root.post(path, json={"spec": spec}).status_code == 400


def test_a_project_administrator_rules_in_the_own_project_only(
    root: Client, unique: Callable[[str], str]
) -> None:
    mine, other = (root.create("projects", name=unique("project"))["metadata"]["id"] for _ in range(2))
    chief, fellow = unique("chief"), make_user(root, unique("fellow"))
    id = make_user(root, chief)
    add_member(root, mine, id, "project_admin")
    add_member(root, other, id, "observer")
    for project in (mine, other):
        add_member(root, project, fellow)
    session = with_token(root, log_in(root, chief, project_id=mine))
    promote = {"spec": {"role_id": role_id(root, "project_admin")}}
    remove = {"spec": {"user_id": fellow}}
    # the token decides where one is, whatever the path says
    assert session.post(f"/users/{id}/projects/{other}/:set-role", json=promote).status_code == 404
    assert session.post(f"/users/{fellow}/projects/{other}/:set-role", json=promote).status_code == 404
    assert session.post(f"/projects/{other}/:remove-user", json=remove).status_code == 404
    assert session.post(f"/users/{fellow}/projects/{mine}/:set-role", json=promote).status_code == 202
    elsewhere = with_token(root, log_in(root, chief, project_id=other))
    assert elsewhere.post(f"/users/{id}/projects/{other}/:set-role", json=promote).status_code == 403
    assert elsewhere.post(f"/projects/{mine}/:remove-user", json=remove).status_code == 403
    for path, spec in (
        (f"/users/{fellow}", {"password": NEW}),
        (f"/users/{fellow}", {"enabled": False}),
    ):
        assert session.patch(path, json={"spec": spec}).status_code == 404
    for path in (f"/projects/{mine}/:add-user", "/users", f"/users/{fellow}/:allow-login"):
        assert session.post(path, json=promote).status_code == 403


def test_there_is_always_somebody_who_can_administer(root: Client) -> None:
    assert root.delete("/users/1").status_code == 409
    assert root.patch("/users/1", json={"spec": {"enabled": False}}).status_code == 409
    assert root.post("/users/1/:allow-login", json={"spec": {"allowed": False}}).status_code == 409


def test_a_role_that_is_not_a_members_cannot_be_set(root: Client, person: tuple[int, str, Client]) -> None:
    path = f"/users/{person[0]}/projects/1/:set-role"
    answer = root.post(path, json={"spec": {"role_id": role_id(root, "observer")}})
    assert answer.status_code == 404
    assert root.get(f"/users/{person[0]}/projects").json()["items"] == []


def test_adding_a_member_again_changes_the_role(root: Client, person: tuple[int, str, Client]) -> None:
    project = root.create("projects", name=f"twice {person[1]}")["metadata"]["id"]
    for role in ("observer", "project_admin"):
        add_member(root, project, person[0], role)
    [membership] = root.get(f"/projects/{project}/users").json()["items"]
    assert (membership["user_id"], membership["role_name"]) == (person[0], "project_admin")
    eventually(lambda: root.get(f"/projects/{project}").json()["status"]["user_num"] == 1)
    eventually(lambda: root.get(f"/users/{person[0]}").json()["status"]["project_num"] == 1)
