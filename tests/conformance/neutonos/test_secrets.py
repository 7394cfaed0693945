"""No password and no token is ever where it does not belong: in answers, logs, audit rows, the database."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from identity_world import Encryption, add_member, log_in, with_token

from running_server import Client, RunningServer, running_server

pytestmark = pytest.mark.xdist_group("secrets")

ADMIN_CHOSEN = "chosen-by-the-administrator-0x51"
ENCRYPTED = "sent-encrypted-0x52"
CHANGED = "changed-by-the-user-0x53"
GUESSED = "guessed-wrongly-0x54"
TOO_SHORT = "0x55"
PASSWORDS = (ADMIN_CHOSEN, ENCRYPTED, CHANGED, GUESSED)


class Eavesdropper:
    """Keeps every answer that the clients got."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str]] = []

    def listen_to(self, client: httpx.Client) -> None:
        client.event_hooks["response"].append(self._keep)

    def _keep(self, answer: httpx.Response) -> None:
        answer.read()
        where = f"{answer.request.method} {answer.request.url.path}"
        self.answers.append((where, f"{answer.headers}\n{answer.text}"))


class Story:
    """What happened on a server, and every secret that was used in it."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.ear = Eavesdropper()
        self.tokens: list[str] = []
        self.ciphertexts: list[str] = []
        self.root = server.client()
        self.tokens.append(self.root.headers["x-sddc-token"])
        self.ear.listen_to(self.root)
        self._tell()

    @property
    def passwords(self) -> tuple[str, ...]:
        return (*PASSWORDS, self.server.password)

    def _session(self, name: str, password: str, **spec: object) -> Client:
        session = with_token(self.root, log_in(self.root, name, password, **spec))
        self.tokens.append(session.headers["x-sddc-token"])
        self.ear.listen_to(session)
        return session

    def _encrypted(self, password: str) -> dict[str, str]:
        fields = Encryption(self.root).fields(password)
        self.ciphertexts.append(fields["encrypted_password"])
        return fields

    def _tell(self) -> None:
        root = self.root
        first = root.create("users", name="first", password=ADMIN_CHOSEN)["metadata"]["id"]
        second = root.create("users", name="second", **self._encrypted(ENCRYPTED))["metadata"]["id"]
        project = root.create("projects", name="project")["metadata"]["id"]
        add_member(root, project, first)
        session = self._session("first", ADMIN_CHOSEN)
        session.patch(
            f"/users/{first}", json={"spec": {"password": CHANGED, "original_password": ADMIN_CHOSEN}}
        )
        session.patch(f"/users/{first}", json={"spec": {"password": GUESSED, "original_password": GUESSED}})
        session.post("/users/:verify-password", json={"spec": {"password": CHANGED}})
        session.post("/users/:verify-password", json={"spec": {"password": GUESSED}})
        session.post("/users/:verify-password", json={"spec": self._encrypted(CHANGED)})
        swap = session.post("/tokens/:reauth-in-project", json={"spec": {"project_id": project}})
        self.tokens.append(swap.json()["uuid"])
        # refused in every way there is: wrong, unknown, malformed, not allowed, too short
        for spec in (
            {"name": "first", "password": GUESSED},
            {"name": GUESSED, "password": GUESSED},
            {"name": "first", "password": [GUESSED]},
            {"name": "first", "passwort": GUESSED},
            {"name": "first", **self._encrypted(GUESSED), "password": GUESSED},
        ):
            root.post("/tokens/:login", json={"spec": spec})
        root.patch(f"/users/{second}", json={"spec": {"password": GUESSED, "rsa_key_id": "none"}})
        root.patch("/users/987654", json={"spec": {"password": GUESSED}})
        session.post("/users", json={"spec": {"name": "x", "password": GUESSED}})
        root.post("/users", json={"spec": {"name": "x", "password": TOO_SHORT}})
        root.post("/users", json={"spec": {"name": "first", "password": GUESSED}})
        root.post("/users", content=b'{"spec":{"name":"x","password":"' + GUESSED.encode() + b'"')
        root.patch(f"/users/{second}", json={"spec": {"password": CHANGED}})
        self._session("second", CHANGED).post("/tokens/:logout")
        root.get("/users", params={"q": f'spec.password:"{GUESSED}"'})
        root.get("/users", params={"q": "spec.password_verifier:*"})
        for path in ("/users", "/projects", f"/projects/{project}/users", f"/users/{first}/projects"):
            root.get(path)
        for path in ("/audit-logs", "/events", "/settings", "/openapi.json"):
            root.get(path)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with running_server(
        tmp_path_factory.mktemp("secrets"), environment={"STRATAL_LOG__LEVEL": "debug"}
    ) as server:
        told = Story(server)
        yield told
        told.root.close()


def test_the_story_was_told_to_its_end(story: Story) -> None:
    found = story.root.get("/audit-logs", params={"q": "resource_type:(user token)"}).json()["items"]
    actions = {(row["action"], row["status"]) for row in found}
    assert {
        ("create", "succeeded"),
        ("create", "failed"),
        ("update", "succeeded"),
        ("update", "failed"),
        ("login", "succeeded"),
        ("login", "failed"),
        ("logout", "succeeded"),
        ("reauth-in-project", "succeeded"),
    } <= actions


def test_no_answer_has_a_password_or_what_a_password_became(story: Story) -> None:
    for where, text in story.ear.answers:
        for secret in (*story.passwords, *story.ciphertexts, "$argon2", "PRIVATE KEY"):
            assert secret not in text, where


def test_no_answer_but_that_of_a_login_has_a_token(story: Story) -> None:
    for where, text in story.ear.answers:
        if not where.endswith((":login", ":reauth-in-project")):
            assert not [token for token in story.tokens if token in text], where


def test_no_log_has_a_password_or_a_token(story: Story) -> None:
    text = (story.server.directory / "log").read_text()
    assert '"route": "/tokens/:login"' in text
    for secret in (*story.passwords, *story.ciphertexts, *story.tokens, "$argon2", "PRIVATE KEY"):
        assert secret not in text


def test_the_password_of_the_first_start_is_nowhere_but_on_the_terminal(story: Story) -> None:
    assert (story.server.directory / "out").read_text().count(story.server.password) == 1
    assert story.server.password not in (story.server.directory / "log").read_text()


def test_no_file_of_the_server_has_a_password_or_a_token(story: Story) -> None:
    files = [path for path in (story.server.directory / "data").rglob("*") if path.is_file()]
    assert "stratal.db" in {path.name for path in files}
    for path in files:
        content = path.read_bytes()
        for secret in (*story.passwords, *story.ciphertexts, *story.tokens):
            assert secret.encode() not in content, f"{secret} in {path}"


def test_nobody_but_the_servers_user_may_read_its_files(story: Story) -> None:
    assert Path(story.server.directory / "data").stat().st_mode & 0o077 == 0


def test_no_password_is_in_the_environment_or_the_arguments_of_the_process(story: Story) -> None:
    proc = Path(f"/proc/{story.server.process.pid}")
    text = (proc / "environ").read_bytes() + (proc / "cmdline").read_bytes()
    assert not [password for password in story.passwords if os.fsencode(password) in text]
