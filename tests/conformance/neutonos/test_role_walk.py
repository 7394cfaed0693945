"""Every endpoint, as every role, on what is the caller's and what is not, through HTTP on a real server."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import role_world
from role_requests import prepare
from role_table import RULES, Caller, Rule, Target
from role_world import World

from running_server import running_server

pytestmark = pytest.mark.xdist_group("role walk")

DOCUMENT = json.loads((Path(__file__).parents[3] / "docs/openapi/neutonos.json").read_text())
NETWORK = ("nics", "vsws", "bridges", "br-net-nss", "l3-nets")
PROJECT_CALLERS = (Caller.ADMIN, Caller.MEMBER, Caller.OBSERVER)
MISSING = 987_654_321


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_server(tmp_path_factory.mktemp("roles"), environment={"STRATAL_SIMULATE": "true"}) as server:
        made = role_world.build(server)
        yield made
        made.close()


def test_the_table_has_every_endpoint_and_no_others() -> None:
    served = {f"{method.upper()} {path}" for path, item in DOCUMENT["paths"].items() for method in item}
    assert {rule.endpoint for rule in RULES} == served


def test_the_table_has_what_is_the_callers_and_what_is_not_wherever_there_are_such_things() -> None:
    targets: dict[str, set[Target]] = defaultdict(set)
    for rule in RULES:
        targets[rule.endpoint].add(rule.target)
    topology = ("data-centers", "rooms", "racks", "chassises", "nodes")
    whole_installation = (*topology, "roles", "os-releases", "bs-policies", *NETWORK)
    for endpoint, known in targets.items():
        if "{id}" in endpoint and endpoint.split("/")[1] not in whole_installation:
            assert known & {Target.OWN, Target.FELLOW}, endpoint
            assert Target.FOREIGN in known or endpoint == "DELETE /projects/{id}", endpoint


@pytest.mark.parametrize("rule", RULES, ids=[f"{rule.endpoint} {rule.target}" for rule in RULES])
def test_everybody_gets_what_the_table_says(world: World, rule: Rule) -> None:
    outcome: dict[str, int] = {}
    for caller in Caller:
        request = prepare(world, rule, caller)
        answer = world.send(
            caller,
            request.method,
            request.path,
            token=request.token,
            **request.payload,
        )
        outcome[caller.value] = answer.status_code
        if answer.status_code >= 400:
            assert set(answer.json()) == {"message", "code", "details"}
    assert outcome == {caller.value: rule.expected(caller) for caller in Caller}


HIDDEN = [(rule, caller) for rule in RULES for caller in Caller if rule.expected(caller) == 404]


@pytest.mark.parametrize(
    ("rule", "caller"), HIDDEN, ids=[f"{rule.endpoint} {rule.target} as {caller}" for rule, caller in HIDDEN]
)
def test_what_is_hidden_answers_exactly_as_what_does_not_exist(
    world: World, rule: Rule, caller: Caller
) -> None:
    request = prepare(world, rule, caller)
    hidden = "project_id" if "{project_id}" in rule.endpoint else "id"
    position = {"id": 2, "project_id": 4}[hidden]
    segments = request.path.split("/")
    id, segments[position] = segments[position], str(MISSING)
    real = world.send(caller, request.method, request.path, **request.payload)
    made_up = world.send(caller, request.method, "/".join(segments), **request.payload)
    assert real.status_code == made_up.status_code == 404
    assert _comparable(real, id) == _comparable(made_up, str(MISSING))


def _comparable(answer: Any, id: str) -> tuple[Any, ...]:
    text = answer.text.replace(answer.json()["details"]["request_id"], "request")
    headers = {name for name in answer.headers if name != "content-length"}
    return json.loads(text.replace(f" {id}", " <id>")), headers


LISTS = ["label-keys", "label-values", "events", "audit-logs", "users", "projects"]


def _sees(world: World, caller: Caller, plural: str, item: dict[str, Any]) -> bool:
    """Whether an item of a list is one that the caller may know of."""
    if plural in ("events", "audit-logs"):
        return item.get("project_id") == world.project_a
    id = item["metadata"]["id"]
    if plural == "users":
        members = world.root.get(f"/projects/{world.project_a}/users").json()["items"]
        fellows = {member["user_id"] for member in members} if caller is Caller.ADMIN else set()
        return id in fellows | {world.users[caller]}
    if plural == "projects":
        return id == world.project_a
    return item["metadata"]["project_id"] == world.project_a


@pytest.mark.parametrize("plural", LISTS)
@pytest.mark.parametrize("caller", [*PROJECT_CALLERS, Caller.NOBODY])
def test_lists_show_and_count_nothing_that_is_hidden(world: World, caller: Caller, plural: str) -> None:
    items: list[dict[str, Any]] = []
    while True:
        listed = world.send(caller, "GET", f"/{plural}", params={"limit": 1000, "offset": len(items)})
        if listed.status_code == 403:
            return  # the walk has checked that this is as it should be
        items += (page := listed.json()["items"])
        if len(page) < 1000:
            break
    assert all(_sees(world, caller, plural, item) for item in items)
    assert listed.json()["metadata"]["pagination"]["total_count"] == len(items)
    everything = world.root.get(f"/{plural}", params={"limit": 0}).json()["metadata"]["pagination"]
    assert everything["total_count"] > len(items)
    # a page of one, a page of none and a page behind the end count the same
    for page in ({"limit": 1}, {"limit": 0}, {"offset": 100_000}):
        again = world.send(caller, "GET", f"/{plural}", params=page).json()["metadata"]["pagination"]
        assert again["total_count"] == len(items)


@pytest.mark.parametrize("plural", LISTS)
@pytest.mark.parametrize("caller", PROJECT_CALLERS)
def test_a_filter_does_not_reach_what_is_hidden(world: World, caller: Caller, plural: str) -> None:
    prefix = "" if plural in ("events", "audit-logs") else "spec."
    match plural:
        case "users":
            foreign = world.user(world.project_b)
        case "projects":
            foreign = world.project_b
        case "label-keys":
            foreign = world.make(plural, project=world.project_b)
        case "label-values":
            key = world.make("label-keys", project=world.project_b)
            foreign = world.make(plural, project=world.project_b, label_key_id=key)
        case _:
            found = world.root.get(f"/{plural}", params={"q": f"project_id:{world.project_b}"}).json()
            foreign = found["items"][0]["id"]
    filters = (
        f"{prefix}id:{foreign}",
        f"NOT {prefix}id:0 AND {prefix}id:({foreign})",
        f"{prefix}id:{foreign} OR {prefix}id:[{foreign} TO {foreign}]",
    )
    for q in filters:
        answer = world.send(caller, "GET", f"/{plural}", params={"q": q})
        if answer.status_code == 403:
            return
        assert answer.json()["items"] == []
        assert answer.json()["metadata"]["pagination"]["total_count"] == 0
        seen = world.root.get(f"/{plural}", params={"q": q}).json()["metadata"]["pagination"]
        assert seen["total_count"] == 1


def test_the_members_of_a_project_are_listed_without_those_of_others(world: World) -> None:
    stranger = world.user(world.project_b)
    for caller in PROJECT_CALLERS:
        listed = world.send(caller, "GET", f"/projects/{world.project_a}/users").json()["items"]
        assert stranger not in [member["user_id"] for member in listed]
        assert {member["project_id"] for member in listed} == {world.project_a}


def test_whatever_else_stands_for_a_token_is_refused(world: World) -> None:
    for token in (b"0" * 32, b"x", b"\xe9\xff", b"a" * 4096):
        answer = world.bare.get("/version", headers=[(b"x-sddc-token", token)])
        assert answer.status_code == 401
        assert answer.json()["code"] == "unauthenticated"
