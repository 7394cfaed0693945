"""Logging in: clear, encrypted, wrongly, too often, in parallel; and what nobody learns from trying."""

import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from identity_world import (
    PADDINGS,
    PASSWORD,
    Encryption,
    eventually,
    log_in,
    make_user,
    with_token,
)

from running_server import Client, RunningServer, running_server

pytestmark = pytest.mark.xdist_group("logins")

FAILURES = 4
LOCKOUT_SECONDS = 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("logins")) as running:
        yield running


@pytest.fixture(scope="module")
def root(server: RunningServer) -> Iterator[Client]:
    client = server.client()
    limits = {"max_login_failures": FAILURES, "login_lockout_seconds": LOCKOUT_SECONDS}
    assert client.patch("/settings", json={"spec": limits}).status_code == 202
    yield client
    client.close()


# -- the first start -----------------------------------------------------------------------------------


def test_the_first_start_shows_the_administrators_password_once_and_no_log_has_it(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        printed = (server.directory / "out").read_text()
        assert printed.count(server.password) == 1
        assert re.fullmatch(r"[a-z2-9]{5}(-[a-z2-9]{5}){3}", server.password)
        server.client().close()
        assert server.password not in (server.directory / "log").read_text()
    with running_server(tmp_path) as again:
        assert (again.directory / "out").read_text() == ""
        assert log_in(Client(again.url), "admin", server.password).status_code == 201


def test_two_installations_have_two_passwords(server: RunningServer, shared_server: RunningServer) -> None:
    assert server.password != shared_server.password


# -- ways to log in ------------------------------------------------------------------------------------


def test_a_login_answers_with_the_token_the_user_and_the_roles(root: Client, server: RunningServer) -> None:
    answer = log_in(root, "admin", server.password)
    assert answer.status_code == 201
    token = answer.json()
    assert re.fullmatch(r"[0-9a-f]{32}", token["uuid"])
    assert token["valid"] is True
    assert token["user"]["metadata"]["name"] == "admin"
    assert token["roles"] == ["project_admin", "system_admin"]
    assert token["project_id"] == token["user"]["spec"]["default_project_id"]


@pytest.mark.parametrize("using", PADDINGS)
def test_a_password_may_come_encrypted(
    root: Client, server: RunningServer, unique: Callable[[str], str], using: str
) -> None:
    name = unique("encrypted")
    encryption = Encryption(root, using)
    root.create("users", name=name, **encryption.fields("Grüße, 世界"))
    base = str(root.base_url).rstrip("/")
    for password, status in (("Grüße, 世界", 201), ("Grüße, 世间", 401)):
        body = {"spec": {"name": name, **encryption.fields(password)}}
        assert httpx.post(f"{base}/tokens/:login", json=body).status_code == status
    assert log_in(root, name, "Grüße, 世界").status_code == 201


def test_a_key_serves_many_clients_and_is_kept_on_the_server(root: Client) -> None:
    first, second = Encryption(root).key, Encryption(root).key
    assert first == second
    assert set(first) == {"id", "public_key", "expiration"}
    assert "PRIVATE" not in first["public_key"]


SPECS_WITHOUT_A_PASSWORD: dict[str, dict[str, str]] = {
    "no password": {},
    "both passwords": {"password": "x", "encrypted_password": "eA==", "rsa_key_id": "x"},
    "an encrypted password without a key": {"encrypted_password": "eA=="},
    "a key without an encrypted password": {"rsa_key_id": "x"},
    "a clear password with a key": {"password": "x", "rsa_key_id": "x"},
}


@pytest.mark.parametrize("name", ["admin", "nobody at all"])
@pytest.mark.parametrize("what", SPECS_WITHOUT_A_PASSWORD)
def test_a_login_takes_one_password_in_one_way(root: Client, what: str, name: str) -> None:
    answer = root.post("/tokens/:login", json={"spec": {"name": name, **SPECS_WITHOUT_A_PASSWORD[what]}})
    assert answer.status_code == 400
    assert answer.json()["details"]["field"] == "spec"


# -- what nobody learns --------------------------------------------------------------------------------


def test_every_failed_login_answers_the_same(root: Client, unique: Callable[[str], str]) -> None:
    names = {what: unique(what) for what in ("right", "disabled", "locked", "deleted")}
    ids = {what: make_user(root, name) for what, name in names.items()}
    root.patch(f"/users/{ids['disabled']}", json={"spec": {"enabled": False}})
    root.post(f"/users/{ids['locked']}/:allow-login", json={"spec": {"allowed": False}})
    root.delete(f"/users/{ids['deleted']}")
    encryption = Encryption(root)
    bodies = [
        {"name": "nobody at all", "password": PASSWORD},
        {"name": names["right"], "password": "wrong"},
        {"name": names["right"], "password": ""},
        {"name": names["right"], "encrypted_password": "bm90IGEgY2lwaGVydGV4dA==", "rsa_key_id": "none"},
        {"name": names["right"], **encryption.fields(PASSWORD), "encrypted_password": "bm90IG9uZQ=="},
        {"name": names["disabled"], "password": PASSWORD},
        {"name": names["locked"], "password": PASSWORD},
        {"name": names["locked"], "password": "wrong"},
        {"name": names["deleted"], "password": PASSWORD},
    ]
    answers = [root.post("/tokens/:login", json={"spec": body}) for body in bodies]
    problems = [answer.json() for answer in answers]
    for problem in problems:
        del problem["details"]["request_id"]
    assert {answer.status_code for answer in answers} == {401}
    assert problems == [problems[0]] * len(problems)


def test_the_time_of_an_answer_does_not_tell_who_there_is(tmp_path: Path) -> None:
    costly = {"STRATAL_IDENTITY__ARGON2_MEMORY_COST_KIB": "16384", "STRATAL_IDENTITY__ARGON2_TIME_COST": "3"}
    with running_server(tmp_path, environment=costly) as server:
        root = server.client()
        assert root.patch("/settings", json={"spec": {"max_login_failures": 1000}}).status_code == 202
        took: dict[str, list[float]] = {"admin": [], "nobody at all": []}
        for _ in range(12):
            for name, seconds in took.items():
                started = time.perf_counter()
                assert log_in(root, name, "wrong").status_code == 401
                seconds.append(time.perf_counter() - started)
    known, unknown = (min(seconds) for seconds in took.values())
    assert unknown > known / 2
    assert statistics.median(took["admin"]) > statistics.median(took["nobody at all"]) / 3


# -- too many failures ---------------------------------------------------------------------------------


def fail(root: Client, name: str, times: int) -> None:
    for _ in range(times):
        assert log_in(root, name, "wrong").status_code == 401


def test_failures_in_a_row_lock_a_user_out_until_the_time_is_over(
    root: Client, unique: Callable[[str], str]
) -> None:
    name = unique("forgetful")
    id = make_user(root, name)
    fail(root, name, FAILURES - 1)
    assert log_in(root, name).status_code == 201, "one failure less than is too many"
    fail(root, name, FAILURES)
    locked_at = time.monotonic()
    assert log_in(root, name).status_code == 401
    assert root.get(f"/users/{id}").json()["spec"]["login_allowed"] is False
    eventually(lambda: root.get(f"/users/{id}").json()["status"]["login_failure_num"] == FAILURES)
    time.sleep(max(0.0, locked_at + LOCKOUT_SECONDS + 0.3 - time.monotonic()))
    assert log_in(root, name).status_code == 201
    eventually(lambda: root.get(f"/users/{id}").json()["status"]["login_failure_num"] == 0)
    seen = root.get(f"/users/{id}").json()
    assert seen["spec"]["login_allowed"] is True
    assert "last_login_at" in seen["status"]


def test_an_administrator_lifts_a_lock_out_at_once(root: Client, unique: Callable[[str], str]) -> None:
    name = unique("hurried")
    id = make_user(root, name)
    fail(root, name, FAILURES)
    assert log_in(root, name).status_code == 401
    answer = root.post(f"/users/{id}/:allow-login", json={})
    assert answer.status_code == 202
    assert answer.json()["spec"]["login_allowed"] is True
    assert log_in(root, name).status_code == 201
    fail(root, name, FAILURES - 1)
    assert log_in(root, name).status_code == 201, "the count began anew"


def test_what_an_administrator_locked_no_time_unlocks(root: Client, unique: Callable[[str], str]) -> None:
    name = unique("barred")
    id = make_user(root, name)
    root.post(f"/users/{id}/:allow-login", json={"spec": {"allowed": False}})
    fail(root, name, FAILURES + 1)
    time.sleep(LOCKOUT_SECONDS + 0.3)
    assert log_in(root, name).status_code == 401


def test_a_lock_out_leaves_the_sessions_that_there_are(root: Client, unique: Callable[[str], str]) -> None:
    name = unique("attacked")
    make_user(root, name)
    session = with_token(root, log_in(root, name))
    fail(root, name, FAILURES)
    assert session.get("/version").status_code == 200


def test_a_lock_out_is_an_event_that_names_the_user(root: Client, unique: Callable[[str], str]) -> None:
    name = unique("watched")
    id = make_user(root, name)
    fail(root, name, FAILURES)
    [event] = root.get("/events", params={"q": f"event:user_locked_out AND resource_id:{id}"}).json()["items"]
    assert event["level"] == "warning"
    assert name in event["message"]


def test_parallel_guesses_are_no_way_around_the_lock_out(root: Client, unique: Callable[[str], str]) -> None:
    name = unique("besieged")
    id = make_user(root, name)
    start = threading.Barrier(16)

    def guess(number: int) -> int:
        start.wait()
        return log_in(root, name, f"guess {number}").status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(guess, range(16))) == {401}
    assert log_in(root, name).status_code == 401
    eventually(lambda: root.get(f"/users/{id}").json()["status"]["login_failure_num"] == FAILURES)
    found = root.get("/events", params={"q": f"event:user_locked_out AND resource_id:{id}"}).json()
    assert found["metadata"]["pagination"]["total_count"] == 1


def test_every_failed_guess_is_in_the_audit_log(root: Client, unique: Callable[[str], str]) -> None:
    name = unique("audited")
    id = make_user(root, name)
    fail(root, name, 2)
    assert log_in(root, name).status_code == 201
    q = f"user_id:{id} AND action:login"
    found = root.get("/audit-logs", params={"q": q, "sort": "id:asc"}).json()["items"]
    assert [row["status"] for row in found] == ["failed", "failed", "succeeded"]
    assert all(row["finished_at"] and row["client_ip"] == "127.0.0.1" for row in found)


# -- memory --------------------------------------------------------------------------------------------


def test_logins_in_parallel_do_not_add_up_in_memory(tmp_path: Path) -> None:
    mebibytes = 96
    costly = {
        "STRATAL_IDENTITY__ARGON2_MEMORY_COST_KIB": str(mebibytes * 1024),
        "STRATAL_IDENTITY__ARGON2_TIME_COST": "1",
    }
    with running_server(tmp_path, environment=costly) as server:
        root = server.client()
        before = _peak_mebibytes(server)
        with ThreadPoolExecutor(24) as pool:
            answers = list(pool.map(lambda _: log_in(root, "admin", server.password).status_code, range(24)))
        assert set(answers) == {201}
        # two at a time, one of which the first login had already
        assert _peak_mebibytes(server) - before < 2 * mebibytes


def _peak_mebibytes(server: RunningServer) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) // 1024
