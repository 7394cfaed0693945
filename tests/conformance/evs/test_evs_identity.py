"""Identity v3: logins of every kind, catalogue, administration, keys, and what is refused."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from evs_client import Cloud

pytestmark = pytest.mark.xdist_group("evs")


def _post(cloud: Cloud, identity: dict[str, Any], scope: Any = None) -> httpx.Response:
    auth: dict[str, Any] = {"identity": identity}
    if scope is not None:
        auth["scope"] = scope
    return httpx.post(f"{cloud.base}/identity/v3/auth/tokens", json={"auth": auth})


def test_discovery_says_what_is_where(cloud: Cloud) -> None:
    assert httpx.get(f"{cloud.base}/identity").status_code == 300
    version = httpx.get(f"{cloud.base}/identity/v3").json()["version"]
    assert (version["id"], version["links"][0]["href"]) == ("v3.14", f"{cloud.base}/identity/v3/")
    root = httpx.get(f"{cloud.base}/")
    assert (root.status_code, root.json()["versions"][0]["version"]) == (300, "3.66")
    assert httpx.get(f"{cloud.base}/v3/").json() == root.json()


def test_a_token_has_a_project_roles_and_a_catalogue(cloud: Cloud) -> None:
    token = cloud.described
    assert token["project"]["name"] == "default"
    assert {each["name"] for each in token["roles"]} == {"admin", "manager", "member", "reader"}
    endpoints = {each["type"]: each["endpoints"][0]["url"] for each in token["catalog"]}
    assert endpoints == {
        "identity": f"{cloud.base}/identity/v3",
        "block-storage": f"{cloud.base}/v3",
        "volumev3": f"{cloud.base}/v3",
        "image": f"{cloud.base}/image",
    }
    assert token["expires_at"].endswith(".000000Z")


def test_users_and_projects_are_named_by_id_too(cloud: Cloud) -> None:
    user = {"id": cloud.user, "password": cloud.password}
    scope = {"project": {"id": cloud.project}}
    answer = _post(cloud, {"methods": ["password"], "password": {"user": user}}, scope)
    assert answer.status_code == 201


def test_a_token_can_be_for_no_project(cloud: Cloud) -> None:
    user = {"id": cloud.user, "password": cloud.password}
    for scope in ("unscoped", {"system": {"all": True}}, {"domain": {"id": "default"}}):
        answer = _post(cloud, {"methods": ["password"], "password": {"user": user}}, scope)
        assert answer.status_code == 201
        assert "project" not in answer.json()["token"]


@pytest.mark.parametrize(
    "change",
    [
        {"password": "wrong"},
        {"name": "nobody"},
        {"domain": {"name": "Other"}},
    ],
)
def test_every_login_that_fails_is_refused_in_the_same_words(cloud: Cloud, change: dict[str, Any]) -> None:
    answer = cloud.log_in("default", **change)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": {
            "code": 401,
            "title": "Unauthorized",
            "message": "The request you have made requires authentication.",
        }
    }


def test_a_login_for_a_project_that_one_may_not_enter_is_a_401(member: Cloud, neighbour: Cloud) -> None:
    assert member.log_in("evs-next-door").status_code == 401
    assert member.log_in("no-such-project").status_code == 401


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"auth": {}}', b'{"auth": {"identity": {"methods": 7}}}']
)
def test_a_login_that_cannot_be_read_is_a_400(cloud: Cloud, body: bytes) -> None:
    assert httpx.post(f"{cloud.base}/identity/v3/auth/tokens", content=body).status_code == 400


def test_tokens_are_exchanged_validated_and_revoked(cloud: Cloud, neighbour: Cloud) -> None:
    first = cloud.log_in("default")
    token = first.headers["x-subject-token"]
    exchanged = _post(
        cloud, {"methods": ["token"], "token": {"id": token}}, {"project": {"id": cloud.project}}
    )
    second = exchanged.headers["x-subject-token"]
    assert exchanged.json()["token"]["expires_at"] <= first.json()["token"]["expires_at"]
    subject = {"x-subject-token": second}
    path = "/identity/v3/auth/tokens"
    assert cloud.call("GET", path, headers=subject, expect=200).headers["x-subject-token"] == second
    assert cloud.call("HEAD", path, headers=subject, expect=200).content == b""
    neighbour.call("GET", path, headers=subject, expect=404)
    neighbour.call("DELETE", path, headers=subject, expect=404)
    cloud.call("DELETE", path, headers=subject, expect=204)
    cloud.call("GET", path, headers=subject, expect=404)
    refused = httpx.get(f"{cloud.base}/v3/volumes", headers={"x-auth-token": second})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == f'Keystone uri="{cloud.base}/identity/v3"'
    assert httpx.get(f"{cloud.base}/v3/volumes").status_code == 401


def test_administrators_make_projects_users_and_grants(cloud: Cloud, unique: Callable[[str], str]) -> None:
    project_name, user_name = unique("made"), unique("maker")
    project = cloud.identity("POST", "/projects", {"project": {"name": project_name}}, expect=201)
    project_id = project.json()["project"]["id"]
    cloud.identity("POST", "/projects", {"project": {"name": project_name}}, expect=409)
    body = {"user": {"name": user_name, "password": "first-secret", "email": "a@b.example"}}
    user_id = cloud.identity("POST", "/users", body, expect=201).json()["user"]["id"]
    roles = {each["name"]: each["id"] for each in cloud.identity("GET", "/roles").json()["roles"]}
    assert {"admin", "manager", "member", "reader"} <= roles.keys()
    base = f"/projects/{project_id}/users/{user_id}/roles"
    cloud.identity("HEAD", f"{base}/{roles['member']}", expect=404)
    cloud.identity("PUT", f"{base}/{roles['member']}", expect=204)
    cloud.identity("PUT", f"{base}/{roles['reader']}", expect=204)
    listed = cloud.identity("GET", base).json()["roles"]
    assert [each["name"] for each in listed] == ["member"]
    cloud.identity("HEAD", f"{base}/{roles['reader']}", expect=204)
    with Cloud(cloud.server, user_name, "first-secret", project_name) as made:
        assert {each["name"] for each in made.described["roles"]} == {"member", "reader"}
        change = {"user": {"password": "second-secret", "original_password": "first-secret"}}
        wrong = {"user": {"password": "second-secret", "original_password": "nope"}}
        made.identity("POST", f"/users/{user_id}/password", wrong, expect=400)
        made.identity("POST", f"/users/{user_id}/password", change, expect=204)
        made.identity("POST", "/projects", {"project": {"name": "x"}}, expect=403)
    path = f"/role_assignments?user.id={user_id}"
    assert len(cloud.identity("GET", path).json()["role_assignments"]) == 1
    cloud.identity("PATCH", f"/users/{user_id}", {"user": {"enabled": False}}, expect=200)
    cloud.identity("DELETE", f"{base}/{roles['member']}", expect=204)
    cloud.identity("DELETE", f"/users/{user_id}", expect=204)
    cloud.identity("PATCH", f"/projects/{project_id}", {"project": {"description": "d"}}, expect=200)
    cloud.identity("DELETE", f"/projects/{project_id}", expect=204)


def test_a_program_logs_in_with_a_credential_of_its_own(member: Cloud, unique: Callable[[str], str]) -> None:
    path = f"/users/{member.user}/application_credentials"
    name = unique("credential")
    made = member.identity("POST", path, {"application_credential": {"name": name}}, expect=201)
    credential = made.json()["application_credential"]
    member.identity("POST", path, {"application_credential": {"name": name}}, expect=409)
    assert credential["secret"] not in member.identity("GET", path).text
    assert credential["secret"] not in (member.server.directory / "log").read_text()
    for who in (
        {"id": credential["id"]},
        {"name": name, "user": {"id": member.user}},
        {"name": name, "user": {"name": member.name, "domain": {"id": "default"}}},
    ):
        method = {**who, "secret": credential["secret"]}
        answer = _post(member, {"methods": ["application_credential"], "application_credential": method})
        assert answer.status_code == 201
        assert answer.json()["token"]["project"]["id"] == member.project
    wrong = {"id": credential["id"], "secret": "wrong"}
    answer = _post(member, {"methods": ["application_credential"], "application_credential": wrong})
    assert answer.status_code == 401
    member.identity("DELETE", f"{path}/{credential['id']}", expect=204)
    right = {"id": credential["id"], "secret": credential["secret"]}
    answer = _post(member, {"methods": ["application_credential"], "application_credential": right})
    assert answer.status_code == 401


def test_access_keys_are_ones_own(member: Cloud, neighbour: Cloud) -> None:
    access, secret = member.access_key()
    path = f"/identity/v3.0/OS-CREDENTIAL/credentials/{access}"
    assert secret not in member.call("GET", path, expect=200).text
    neighbour.call("GET", path, expect=404)
    neighbour.call("DELETE", path, expect=404)
    for_others = {"credential": {"user_id": member.user}}
    neighbour.call("POST", "/identity/v3.0/OS-CREDENTIAL/credentials", for_others, expect=404)
    changed = member.call("PUT", path, {"credential": {"status": "inactive"}}, expect=200)
    assert changed.json()["credential"]["status"] == "inactive"
    member.call("DELETE", path, expect=204)
    member.call("GET", path, expect=404)
    assert secret not in (member.server.directory / "log").read_text()
