"""The same server on PostgreSQL: a short tour, and what only PostgreSQL takes amiss."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from identity_world import PASSWORD, eventually, log_in, make_user, with_token
from sqlalchemy import make_url

import postgres
from running_server import Client, RunningServer, running_server

pytestmark = pytest.mark.xdist_group("postgresql")


@pytest.fixture(scope="module")
def url(postgres_server: postgres.Server) -> Iterator[str]:
    with postgres_server.database() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, url: str) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("postgresql"), database_url=url) as running:
        yield running


@pytest.fixture(scope="module")
def root(server: RunningServer) -> Iterator[Client]:
    client = server.client()
    yield client
    client.close()


def test_the_life_of_a_resource(root: Client) -> None:
    centre = root.create("data-centers", name="centre")
    id = centre["metadata"]["id"]
    room = root.create("rooms", name="room", data_center_id=id)["metadata"]["id"]
    eventually(lambda: root.get(f"/data-centers/{id}").json()["status"]["child_num"] == 1)
    stale = {"if-match": centre["spec"]["etag"]}
    assert root.patch(f"/data-centers/{id}", json={"spec": {"description": "d"}}).status_code == 202
    assert root.patch(f"/data-centers/{id}", json={"spec": {}}, headers=stale).status_code == 412
    assert root.delete(f"/data-centers/{id}").status_code == 409
    assert root.delete(f"/rooms/{room}").status_code == 202
    root.gone("rooms", room)
    assert root.delete(f"/data-centers/{id}").status_code == 202
    root.gone("data-centers", id)


def test_lists(root: Client) -> None:
    for name in ("b", "A", "ä", "a"):
        root.create("projects", name=f"list {name}")
    answer = root.get("/projects", params={"q": 'spec.name:~"list .*"', "sort": "spec.name:asc"}).json()
    found = [item["metadata"]["name"].removeprefix("list ") for item in answer["items"]]
    assert found == ["A", "a", "b", "ä"], "by code point, as on SQLite"
    assert answer["metadata"]["pagination"]["total_count"] == 4


def test_logins_lock_out_and_sessions(root: Client) -> None:
    id = make_user(root, "user")
    session = with_token(root, log_in(root, "user"))
    assert session.get("/version").status_code == 200
    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(lambda _: log_in(root, "user", "wrong").status_code, range(12))) == {401}
    assert log_in(root, "user").status_code == 401
    eventually(lambda: root.get(f"/users/{id}").json()["status"]["login_failure_num"] == 5)
    found = root.get("/events", params={"q": f"event:user_locked_out AND resource_id:{id}"}).json()
    assert found["metadata"]["pagination"]["total_count"] == 1
    assert root.post(f"/users/{id}/:allow-login", json={}).status_code == 202
    assert log_in(root, "user").status_code == 201
    root.patch(f"/users/{id}", json={"spec": {"password": PASSWORD + "!"}})
    assert session.get("/version").status_code == 401


def test_what_postgresql_cannot_store_is_refused_before_it_gets_there(root: Client) -> None:
    answers = [
        root.post("/data-centers", content=b'{"spec":{"a\\u0000b":1}}'),
        root.post("/data-centers", content=b'{"spec":{"name":"a\\u0000b"}}'),
        root.patch("/users/1/:ui-profile", content=b'{"spec":{"profile":{"a":"\\u0000"}}}'),
        root.patch("/users/1/:ui-profile", content=b'{"spec":{"profile":{"\\u0000":1}}}'),
        root.post("/tokens/:login", content=b'{"spec":{"name":"a\\u0000","password":"x"}}'),
        root.get("/users", params={"q": 'spec.name:"\0"'}),
        root.post(
            "/label-values/1/:attach", content=b'{"spec":{"resource_type":"\\u0000","resource_ids":[1]}}'
        ),
    ]
    assert [answer.status_code for answer in answers] == [400] * 6 + [404]
    answer = root.post("/tokens/:login", content=b'{"spec":{"name":"admin","password":"\\u0000"}}')
    assert answer.status_code == 401
    q = 'resource_type:data_center AND status:failed AND message:~".*is not a field.*"'
    assert len(root.get("/audit-logs", params={"q": q}).json()["items"]) == 1


def test_free_json_is_kept_as_it_is(root: Client) -> None:
    profile = {"a": [1, 2.5, 2**70, "ä\\u0000", None, {"b": True}], "z": {}}
    assert root.patch("/users/1/:ui-profile", json={"spec": {"profile": profile}}).status_code == 202
    assert root.get("/users/1/:ui-profile").json() == {"profile": profile}


def test_many_creations_at_once_make_as_many_resources_and_one_of_each_name(root: Client) -> None:
    def create(number: int) -> int:
        return root.post("/data-centers", json={"spec": {"name": f"at once {number % 10}"}}).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(create, range(40)))
    assert statuses.count(202) == 10
    assert statuses.count(409) == 30


def test_a_second_server_shares_the_database(
    tmp_path_factory: pytest.TempPathFactory, url: str, root: Client, server: RunningServer
) -> None:
    environment = {"STRATAL_NODE_NAME": "second"}
    with running_server(
        tmp_path_factory.mktemp("second"), database_url=url, environment=environment
    ) as second:
        assert second.password == ""
        other = Client(second.url)
        other.headers["x-sddc-token"] = root.headers["x-sddc-token"]
        made = other.create("data-centers", name="made by the second")
        assert root.get(f"/data-centers/{made['metadata']['id']}").status_code == 200
        eventually(lambda: len(root.get("/nodes").json()["items"]) == 2)
        root.patch("/settings", json={"spec": {"cluster_name": "both"}})
        assert other.get("/settings").json()["settings"]["cluster_name"] == "both"


def test_a_server_on_sigterm_gives_its_leases_back(server: RunningServer, url: str, root: Client) -> None:
    # last of this module: it ends the server
    for number in range(30):
        root.post("/data-centers", json={"spec": {"name": f"last {number}"}})
    server.process.terminate()
    assert server.process.wait(timeout=30) == 0
    parts = make_url(url)
    deadline = time.monotonic() + 5
    with psycopg.connect(
        host=str(parts.query["host"]), user=parts.username, dbname=parts.database, autocommit=True
    ) as connection:
        while time.monotonic() < deadline:
            row = connection.execute("SELECT count(*) FROM work WHERE owner IS NOT NULL").fetchone()
            assert row
            if row[0] == 0:
                break
            time.sleep(0.1)
        assert row[0] == 0
        clients = connection.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert clients == (0,)
