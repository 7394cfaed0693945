"""How every resource behaves on the wire: its shape, its life, its etags, and its way into the audit log."""

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from identity_world import eventually

from running_server import Client, RunningServer, running_server

pytestmark = pytest.mark.xdist_group("conventions")

METADATA = {"created_at", "creation_finish", "id", "labels", "name", "state"}
SPEC = {"created_at", "creation_finish", "deleted_at", "description", "etag", "id", "name", "updated_at"}
STATUS = {"created_at", "deleted_at", "etag", "id", "updated_at"}
NULL_TIME = {"Time": "0001-01-01T00:00:00Z", "Valid": False}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("conventions")) as running:
        yield running


@pytest.fixture(scope="module")
def root(server: RunningServer) -> Iterator[Client]:
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def centre(root: Client, unique: Callable[[str], str]) -> dict[str, Any]:
    return root.create("data-centers", name=unique("centre"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


# -- shape ---------------------------------------------------------------------------------------------


def test_a_resource_of_the_installation_has_exactly_the_fields_of_its_kind(centre: dict[str, Any]) -> None:
    assert set(centre) == {"metadata", "spec", "status"}
    assert set(centre["metadata"]) == METADATA
    assert set(centre["spec"]) == SPEC, "what is null is left out"
    assert set(centre["status"]) == STATUS | {"child_num", "node_num"}


def test_a_resource_of_a_project_also_says_of_which(root: Client, unique: Callable[[str], str]) -> None:
    key = root.create("label-keys", name=unique("key"))
    assert set(key["metadata"]) == METADATA | {"project_id"}
    assert set(key["spec"]) == SPEC | {"project_id"}
    assert key["metadata"]["project_id"] == key["spec"]["project_id"] == 1


def test_the_three_parts_agree(centre: dict[str, Any]) -> None:
    metadata, spec, status = centre["metadata"], centre["spec"], centre["status"]
    assert metadata["id"] == spec["id"] == status["id"]
    for name in ("name", "created_at", "creation_finish"):
        assert metadata[name] == spec[name]
    assert metadata["state"] == {
        "state": "active",
        "diff_fields": {"irreconcilable": [], "reconciling": []},
    }
    assert metadata["labels"] == []
    assert re.fullmatch(r"[0-9a-f]{16}", spec["etag"])
    assert spec["etag"] != status["etag"]


def test_a_time_that_is_not_is_shaped_as_in_go(centre: dict[str, Any]) -> None:
    assert centre["spec"]["deleted_at"] == centre["status"]["deleted_at"] == NULL_TIME


def test_times_are_in_utc_with_microseconds(centre: dict[str, Any]) -> None:
    for text in (centre["metadata"]["created_at"], centre["spec"]["updated_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert at(centre["spec"]["created_at"]) <= at(centre["metadata"]["creation_finish"])


def test_labels_are_shown_with_names_and_ids(
    root: Client, centre: dict[str, Any], unique: Callable[[str], str]
) -> None:
    key, id = root.create("label-keys", name=unique("tier")), centre["metadata"]["id"]
    value = root.create("label-values", name="gold", label_key_id=key["metadata"]["id"])
    body = {"spec": {"resource_type": "data-centers", "resource_ids": [id]}}
    path = f"/label-values/{value['metadata']['id']}"
    assert root.post(f"{path}/:attach", json=body).status_code == 202
    label = {
        "label_key_id": key["metadata"]["id"],
        "label_key_name": key["metadata"]["name"],
        "label_value_id": value["metadata"]["id"],
        "label_value_name": "gold",
    }
    assert root.get(f"/data-centers/{id}").json()["metadata"]["labels"] == [label]
    q = f"metadata.labels.label_value_id:{value['metadata']['id']}"
    [found] = root.get("/data-centers", params={"q": q}).json()["items"]
    assert found["metadata"]["labels"] == [label]
    eventually(lambda: root.get(path).json()["status"]["resource_num"] == 1)
    assert root.post(f"{path}/:detach", json=body).status_code == 202
    assert root.get(f"/data-centers/{id}").json()["metadata"]["labels"] == []


# -- life ----------------------------------------------------------------------------------------------


def test_a_resource_is_created_at_once_and_active_soon(root: Client, unique: Callable[[str], str]) -> None:
    answer = root.post("/data-centers/", json={"spec": {"name": unique("centre"), "description": "d"}})
    assert answer.status_code == 202
    made = answer.json()
    assert made["metadata"]["state"]["state"] == "creating"
    assert "creation_finish" not in made["metadata"]
    assert answer.headers["etag"] == f'"{made["spec"]["etag"]}"'
    active = root.settled("data-centers", made["metadata"]["id"])
    assert active["metadata"]["creation_finish"] == active["spec"]["creation_finish"]
    assert active["spec"]["description"] == "d"
    assert active["spec"]["etag"] == made["spec"]["etag"], "no user changed anything since"


def test_a_resource_is_deleted_at_once_and_gone_soon(root: Client, centre: dict[str, Any]) -> None:
    id = centre["metadata"]["id"]
    answer = root.delete(f"/data-centers/{id}")
    assert answer.status_code == 202
    deleting = answer.json()
    assert deleting["metadata"]["state"]["state"] == "deleting"
    assert at(deleting["metadata"]["deletion_begin"]) >= at(centre["metadata"]["created_at"])
    root.gone("data-centers", id)
    for answer in (
        root.get(f"/data-centers/{id}"),
        root.delete(f"/data-centers/{id}"),
        root.patch(f"/data-centers/{id}", json={"spec": {}}),
    ):
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"
    listed = root.get("/data-centers", params={"q": f"spec.id:{id}"}).json()
    assert listed["metadata"]["pagination"]["total_count"] == 0


def test_a_name_can_be_used_again_once_its_bearer_is_on_the_way_out(
    root: Client, centre: dict[str, Any]
) -> None:
    name = centre["metadata"]["name"]
    refused = root.post("/data-centers", json={"spec": {"name": name}})
    assert refused.status_code == 409
    assert name in refused.json()["message"]
    root.delete(f"/data-centers/{centre['metadata']['id']}")
    assert root.create("data-centers", name=name)["metadata"]["id"] != centre["metadata"]["id"]


def test_what_others_need_is_not_deleted(root: Client, centre: dict[str, Any]) -> None:
    id = centre["metadata"]["id"]
    room = root.create("rooms", name="room", data_center_id=id)["metadata"]["id"]
    refused = root.delete(f"/data-centers/{id}")
    assert refused.status_code == 409
    assert "1 room" in refused.json()["message"]
    eventually(lambda: root.get(f"/data-centers/{id}").json()["status"]["child_num"] == 1)
    root.delete(f"/rooms/{room}")
    root.gone("rooms", room)
    assert root.delete(f"/data-centers/{id}").status_code == 202


def test_a_reference_to_what_is_not_there_is_refused_by_name(root: Client) -> None:
    answer = root.post("/rooms", json={"spec": {"name": "nowhere", "data_center_id": 987_654}})
    assert answer.status_code == 400
    assert answer.json()["details"]["field"] == "spec.data_center_id"
    assert answer.json()["message"] == "spec.data_center_id: there is no data_center 987654"


# -- updates and etags ---------------------------------------------------------------------------------


def test_an_update_changes_what_it_names_and_the_etag(root: Client, centre: dict[str, Any]) -> None:
    path = f"/data-centers/{centre['metadata']['id']}"
    answer = root.patch(path, json={"spec": {"description": "new"}})
    assert answer.status_code == 202
    changed = answer.json()
    assert changed["spec"]["description"] == "new"
    assert changed["spec"]["name"] == centre["spec"]["name"]
    assert changed["spec"]["etag"] != centre["spec"]["etag"]
    assert at(changed["spec"]["updated_at"]) > at(centre["spec"]["updated_at"])
    assert answer.headers["etag"] == root.get(path).headers["etag"] == f'"{changed["spec"]["etag"]}"'
    renamed = root.patch(path, json={"spec": {"name": f"{centre['spec']['name']} renamed"}}).json()
    assert renamed["metadata"]["name"] == renamed["spec"]["name"]
    assert renamed["spec"]["description"] == "new"


@pytest.mark.parametrize("body", ["{}", '{"spec":{}}', "", '{"spec":{"name":"%s","description":""}}'])
def test_an_update_that_changes_nothing_leaves_the_etag_alone(
    root: Client, centre: dict[str, Any], body: str
) -> None:
    path = f"/data-centers/{centre['metadata']['id']}"
    content = (body % centre["spec"]["name"] if "%s" in body else body).encode()
    answer = root.patch(path, content=content)
    assert answer.status_code == 202
    assert answer.json()["spec"] == centre["spec"]
    assert root.get(path).json()["spec"] == centre["spec"]


@pytest.mark.parametrize("form", ['"{}"', "{}", 'W/"{}"', "*"])
def test_a_write_goes_through_while_the_etag_is_the_one_it_names(
    root: Client, centre: dict[str, Any], form: str
) -> None:
    path = f"/data-centers/{centre['metadata']['id']}"
    headers = {"if-match": form.replace("{}", centre["spec"]["etag"])}
    answer = root.patch(path, json={"spec": {"description": form}}, headers=headers)
    assert answer.status_code == 202
    headers = {"if-match": form.replace("{}", answer.json()["spec"]["etag"])}
    assert root.delete(path, headers=headers).status_code == 202


def test_a_write_that_names_another_etag_changes_nothing(root: Client, centre: dict[str, Any]) -> None:
    path = f"/data-centers/{centre['metadata']['id']}"
    stale = {"if-match": f'"{centre["spec"]["etag"]}"'}
    current = root.patch(path, json={"spec": {"description": "by somebody else"}}).json()["spec"]
    for answer in (
        root.patch(path, json={"spec": {"description": "mine"}}, headers=stale),
        root.patch(path, json={"spec": {}}, headers=stale),
        root.delete(path, headers=stale),
        root.delete(path, headers={"if-match": "nonsense"}),
        root.delete(path, headers={"if-match": ""}),
    ):
        assert answer.status_code == 412
        assert answer.json()["code"] == "precondition_failed"
        assert current["etag"] in answer.json()["message"]
    assert root.get(path).json()["spec"] == current


def test_a_change_at_the_moment_of_a_deletion_comes_before_it_or_not_at_all(root: Client) -> None:
    for number in range(20):
        made = root.create("data-centers", name=f"brief {number}")
        path = f"/data-centers/{made['metadata']['id']}"
        answers: list[int] = []
        start = threading.Barrier(2)

        def change(path: str = path, answers: list[int] = answers, start: threading.Barrier = start) -> None:
            with _another(root) as other:
                start.wait()
                answers.append(other.patch(path, json={"spec": {"description": "late"}}).status_code)

        thread = threading.Thread(target=change)
        thread.start()
        start.wait()
        assert root.delete(path).status_code == 202
        thread.join()
        assert answers[0] in (202, 404, 409)
        root.gone("data-centers", made["metadata"]["id"])


def _another(client: Client) -> Client:
    made = Client(str(client.base_url).rstrip("/"))
    made.headers["x-sddc-token"] = client.headers["x-sddc-token"]
    return made


# -- the audit log and events --------------------------------------------------------------------------


def audits(root: Client, q: str) -> list[dict[str, Any]]:
    return root.get("/audit-logs", params={"q": q, "sort": "id:asc"}).json()["items"]


def test_every_change_is_in_the_audit_log_with_its_end(root: Client, unique: Callable[[str], str]) -> None:
    name = unique("audited")
    made = root.create("data-centers", name=name, description="before")
    id = made["metadata"]["id"]
    headers = {"x-request-id": f"update-{id}"}
    root.patch(f"/data-centers/{id}", json={"spec": {"description": "after"}}, headers=headers)
    root.delete(f"/data-centers/{id}")
    root.gone("data-centers", id)
    q = f"resource_type:data_center AND resource_id:{id}"
    eventually(lambda: [row["status"] for row in audits(root, q)] == ["succeeded"] * 3)
    rows = audits(root, q)
    assert [row["action"] for row in rows] == ["create", "update", "delete"]
    for row in rows:
        assert (row["user_id"], row["user_name"], row["project_id"]) == (1, "admin", 1)
        assert row["client_ip"] == "127.0.0.1"
        assert row["resource_name"] == name
        assert at(row["started_at"]) <= at(row["finished_at"])
    assert rows[0]["new_data"] == {"name": name, "description": "before"} | rows[0]["new_data"]
    assert "old_data" not in rows[0]
    assert rows[1]["old_data"] == {"description": "before"}
    assert rows[1]["new_data"] == {"description": "after"}
    assert rows[1]["request_id"] == f"update-{id}"


def test_every_refusal_of_a_change_is_in_the_audit_log_with_its_reason(
    root: Client, centre: dict[str, Any]
) -> None:
    id = centre["metadata"]["id"]
    refusals: list[tuple[str, str, dict[str, Any], int]] = [
        ("POST", "/data-centers", {"json": {"spec": {"nam": "x"}}}, 400),
        ("POST", "/data-centers", {"content": b"{"}, 400),
        ("POST", "/data-centers", {"json": {"spec": {"name": centre["spec"]["name"]}}}, 409),
        ("POST", "/data-centers", {"content": b"x", "headers": {"content-type": "text/plain"}}, 415),
        ("POST", "/data-centers", {"content": b" " * (2**20 + 1)}, 413),
        ("PATCH", "/data-centers/987654", {"json": {}}, 404),
        ("PATCH", f"/data-centers/{id}", {"json": {}, "headers": {"if-match": "x"}}, 412),
        ("DELETE", "/data-centers/x", {}, 400),
    ]
    for number, (method, path, more, status) in enumerate(refusals):
        request_id = f"refusal-{id}-{number}"
        headers = {"x-request-id": request_id, **more.pop("headers", {})}
        answer = root.request(method, path, headers=headers, **more)
        assert answer.status_code == status, answer.text
        [row] = audits(root, f'request_id:"{request_id}"')
        assert row["status"] == "failed"
        assert row["message"] == answer.json()["message"]
        assert row["finished_at"] == row["started_at"]
        assert row["action"] == {"POST": "create", "PATCH": "update", "DELETE": "delete"}[method]
        assert row["resource_type"] == "data_center"
    [row] = audits(root, f'request_id:"refusal-{id}-5"')
    assert row["resource_id"] == 987_654


def test_reading_is_not_in_the_audit_log(root: Client) -> None:
    before = root.get("/audit-logs", params={"limit": 0}).json()["metadata"]["pagination"]["total_count"]
    for path in ("/users", "/users/1", "/users/987654", "/users?nonsense=1", "/audit-logs"):
        root.get(path)
    after = root.get("/audit-logs", params={"limit": 0}).json()["metadata"]["pagination"]["total_count"]
    assert after == before


def test_a_change_of_settings_is_in_the_audit_log(root: Client) -> None:
    answer = root.patch("/settings", json={"spec": {"overcommit_cpu": 3.5}})
    assert answer.status_code == 202
    assert answer.json()["settings"]["overcommit_cpu"] == 3.5
    row = audits(root, "resource_type:settings")[-1]
    assert row["status"] == "succeeded"
    assert row["old_data"] == {"overcommit_cpu": 4.0}
    assert row["new_data"] == {"overcommit_cpu": 3.5}


def test_what_came_into_being_and_what_went_are_events(root: Client, unique: Callable[[str], str]) -> None:
    name = unique("eventful")
    id = root.create("data-centers", name=name)["metadata"]["id"]
    root.delete(f"/data-centers/{id}")
    root.gone("data-centers", id)
    q = f"resource_type:data_center AND resource_id:{id}"
    found = root.get("/events", params={"q": q, "sort": "id"}).json()["items"]
    assert [event["event"] for event in found] == ["data_center_created", "data_center_deleted"]
    for event in found:
        assert event["level"] == "info"
        assert event["resource_name"] == name
        assert root.get(f"/events/{event['id']}").json() == event


# -- lists ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rooms(root: Client) -> int:
    """The id of a data centre with seven rooms."""
    centre = root.create("data-centers", name="with rooms")["metadata"]["id"]
    for number in range(7):
        root.create("rooms", name=f"room {number}", description=f"{number % 2}", data_center_id=centre)
    return centre


def names(root: Client, centre: int, **parameters: object) -> list[str]:
    answer = root.get("/rooms/", params={"q": f"spec.data_center_id:{centre}", **parameters})
    assert answer.status_code == 200, answer.text
    return [item["metadata"]["name"].removeprefix("room ") for item in answer.json()["items"]]


def test_a_list_says_which_part_of_how_much_it_is(root: Client, rooms: int) -> None:
    q = f"spec.data_center_id:{rooms}"
    for parameters, pagination in (
        ({}, (7, 7, 0, 1000)),
        ({"limit": 3}, (7, 3, 0, 3)),
        ({"limit": 3, "offset": 6}, (7, 1, 6, 3)),
        ({"limit": 3, "index": 2}, (7, 3, 2, 3)),
        ({"offset": 7}, (7, 0, 7, 1000)),
        ({"offset": 900}, (7, 0, 900, 1000)),
        ({"limit": 0}, (7, 0, 0, 0)),
        ({"limit": -1}, (7, 7, 0, 1000)),
        ({"offset": 1, "index": 1}, (7, 6, 1, 1000)),
    ):
        answer = root.get("/rooms", params={"q": q, **parameters}).json()
        assert set(answer) == {"metadata", "items"}
        total, count, offset, limit = pagination
        assert answer["metadata"] == {
            "pagination": {"total_count": total, "count": count, "offset": offset, "limit": limit}
        }
        assert len(answer["items"]) == count


def test_pages_put_together_are_the_whole_list(root: Client, rooms: int) -> None:
    order = "spec.description:desc"
    pages = [names(root, rooms, limit=2, offset=offset, sort=order) for offset in (0, 2, 4, 6)]
    assert list(itertools.chain(*pages)) == names(root, rooms, sort=order)
    assert sorted(itertools.chain(*pages)) == [f"{number}" for number in range(7)]


def test_a_list_is_sorted_as_asked_and_by_id_otherwise(root: Client, rooms: int) -> None:
    assert names(root, rooms) == list("0123456")
    assert names(root, rooms, sort="spec.name:desc") == list("6543210")
    assert names(root, rooms, sort="spec.description:asc,metadata.name:desc") == list("6420531")
    assert names(root, rooms, sort="spec.id") == list("0123456")


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ('spec.name:"room 3"', "3"),
        ('spec.name:("room 1" "room 5")', "15"),
        ('spec.name:~"room [2-4]"', "234"),
        ('NOT spec.name:~"room [2-4]"', "0156"),
        ('(spec.description:1) AND (NOT spec.name:"room 3")', "15"),
        ('(spec.name:"room 0") OR (spec.name:"room 6")', "06"),
        ("metadata.state.state:active", "0123456"),
        ("metadata.state.state:deleting", ""),
        ("metadata.deletion_begin:null", "0123456"),
        ('spec.name:["room 2" TO "room 3"]', "23"),
    ],
)
def test_a_list_is_filtered_as_asked(root: Client, rooms: int, q: str, expected: str) -> None:
    assert names(root, rooms, q=f"spec.data_center_id:{rooms} AND ({q})") == list(expected)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"q": "spec.nothing:1"}, "q"),
        ({"q": "spec.name:"}, "q"),
        ({"q": "(((("}, "q"),
        ({"q": "spec.id:abc"}, "q"),
        ({"q": 'spec.name:~"("'}, "q"),
        ({"q": "x" * 5000}, "q"),
        ({"q": "spec.name:\x00"}, "q"),
        ({"q": "spec.password_verifier:x"}, "q"),
        ({"q": "spec.uuid:x"}, "q"),
        ({"sort": "spec.nothing"}, "sort"),
        ({"sort": "spec.name:up"}, "sort"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-2"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"index": "9223372036854775808"}, "index"),
        ({"offset": "1", "index": "2"}, "index"),
        ({"filter": "x"}, "filter"),
        ({"Q": "x"}, "Q"),
        ({"": "x"}, "query"),
        ([("limit", "1"), ("limit", "1")], "limit"),
    ],
)
@pytest.mark.parametrize("plural", ["users", "audit-logs"])
def test_a_parameter_that_means_nothing_is_refused_by_name(
    root: Client, plural: str, parameters: Any, field: str
) -> None:
    answer = root.get(f"/{plural}", params=parameters)
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"]["field"] == field


def test_records_are_listed_filtered_and_sorted_as_resources_are(root: Client, rooms: int) -> None:
    q = f"resource_type:data_center AND resource_id:{rooms} AND event:data_center_created"
    [event] = root.get("/events/", params={"q": q}).json()["items"]
    answer = root.get("/events", params={"sort": "id:desc", "limit": 2}).json()
    ids = [each["id"] for each in answer["items"]]
    assert ids == sorted(ids, reverse=True)
    assert answer["metadata"]["pagination"]["total_count"] >= event["id"]
