"""Requests that are signed with an access key."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from evs_client import Cloud
from stratal.faces.evs.signing import SignedRequest, sign
from stratal.identity.access_key.signatures import UsedSignatures
from stratal.kernel.database import Database
from stratal.kernel.tables import METADATA

pytestmark = pytest.mark.xdist_group("evs")

_HEADERS = ("content-type", "host", "x-sdk-date")


def _send(
    cloud: Cloud,
    key: tuple[str, str],
    *,
    path: str | None = None,
    body: bytes = b"",
    sent: bytes | None = None,
    at: datetime | None = None,
    names: tuple[str, ...] = _HEADERS,
    changed: dict[str, str] | None = None,
    more: dict[str, str] | None = None,
) -> httpx.Response:
    """A signed request, with `more` headers. `sent` and `changed` arrive in place of what was signed."""
    method = "POST" if body else "GET"
    path = path or f"/v2/{cloud.project}/cloudvolumes" + ("" if body else "/detail")
    plain, _, query = path.partition("?")
    headers = {
        "content-type": "application/json",
        "host": cloud.base.removeprefix("http://"),
        "x-sdk-date": (at or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ"),
        **(more or {}),
    }
    request = SignedRequest(method=method, raw_path=plain, raw_query=query, headers=headers, body=body)
    signature = sign(request, names, key[1])
    headers["authorization"] = (
        f"SDK-HMAC-SHA256 Access={key[0]}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    content = body if sent is None else sent
    return httpx.request(method, cloud.base + path, content=content, headers={**headers, **(changed or {})})


@pytest.fixture(scope="module")
def key(member: Cloud) -> tuple[str, str]:
    return member.access_key()


def test_a_signed_request_is_one_of_the_keys_user(member: Cloud, key: tuple[str, str]) -> None:
    assert _send(member, key).status_code == 200
    assert (
        _send(member, key, path=f"/v2/{member.project}/cloudvolumes/detail?name=a%20b&limit=5").status_code
        == 200
    )
    assert _send(member, key, path=f"/v3/{member.project}/volumes/detail").status_code == 200


def test_signatures_hold_for_a_quarter_of_an_hour(member: Cloud, key: tuple[str, str]) -> None:
    for minutes, status in ((-14, 200), (14, 200), (-16, 401), (16, 401)):
        at = datetime.now(UTC) + timedelta(minutes=minutes)
        assert _send(member, key, at=at).status_code == status


@pytest.mark.parametrize(
    "tampered",
    [
        {"sent": b'{"volume": {"size": 99}}', "body": b'{"volume": {"size": 1}}'},
        {"changed": {"x-sdk-date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ") + "x"}},
        {"changed": {"content-type": "text/plain"}},
        {"changed": {"authorization": "SDK-HMAC-SHA256 nonsense"}},
        {"names": ("content-type", "x-sdk-date")},
        {"names": ("content-type", "host")},
        {"names": ("x-sdk-date", "host")},
    ],
)
def test_what_was_not_signed_so_is_refused(
    member: Cloud, key: tuple[str, str], tampered: dict[str, Any]
) -> None:
    answer = _send(member, key, **tampered)
    assert answer.status_code == 401
    assert answer.json()["error_code"] == "APIGW.0301"
    assert key[1] not in answer.text


def test_wrong_secrets_and_unknown_keys_look_alike(member: Cloud, key: tuple[str, str]) -> None:
    wrong, unknown = _send(member, (key[0], "x" * 40)), _send(member, ("A" * 20, key[1]))
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["error_msg"] == unknown.json()["error_msg"]


def test_a_key_opens_no_other_project(member: Cloud, neighbour: Cloud, key: tuple[str, str]) -> None:
    answer = _send(member, key, path=f"/v2/{neighbour.project}/cloudvolumes/detail")
    assert answer.status_code == 401
    mixed = _send(member, key, changed={"x-project-id": neighbour.project})
    assert mixed.status_code == 400


def test_a_key_that_was_ended_opens_nothing(member: Cloud) -> None:
    key = member.access_key()
    assert _send(member, key).status_code == 200
    member.call("DELETE", f"/identity/v3.0/OS-CREDENTIAL/credentials/{key[0]}", expect=204)
    assert _send(member, key).status_code == 401


# -- repetitions ---------------------------------------------------------------------------------------


def _volumes_named(member: Cloud, name: str) -> int:
    found = member.call("GET", f"/v3/volumes/detail?name={name}").json()["volumes"]
    return len(found)


def test_a_signature_changes_something_once(
    member: Cloud, key: tuple[str, str], unique: Callable[[str], str]
) -> None:
    name, at = unique("replayed"), datetime.now(UTC)
    body = json.dumps({"volume": {"size": 1, "name": name, "volume_type": "default"}}).encode()
    assert _send(member, key, body=body, at=at).status_code == 202
    again = _send(member, key, body=body, at=at)
    assert again.status_code == 401
    assert "used for a change already" in again.json()["error_msg"]
    assert _volumes_named(member, name) == 1
    assert _send(member, key, body=body, at=at + timedelta(seconds=1)).status_code == 202
    assert _volumes_named(member, name) == 2


def test_of_many_at_once_with_one_signature_one_gets_through(
    member: Cloud, key: tuple[str, str], unique: Callable[[str], str]
) -> None:
    name, at = unique("raced"), datetime.now(UTC)
    body = json.dumps({"volume": {"size": 1, "name": name, "volume_type": "default"}}).encode()
    with ThreadPoolExecutor(6) as senders:
        answers = list(senders.map(lambda _: _send(member, key, body=body, at=at), range(6)))
    assert sorted(each.status_code for each in answers) == [202, 401, 401, 401, 401, 401]
    assert _volumes_named(member, name) == 1


def test_a_refused_request_cannot_be_had_later_by_its_signature(
    member: Cloud, key: tuple[str, str], unique: Callable[[str], str]
) -> None:
    name, at = unique("too-early"), datetime.now(UTC)
    body = json.dumps({"volume": {"size": 1, "name": name, "volume_type": "not-there"}}).encode()
    assert _send(member, key, body=body, at=at).status_code == 404
    assert _send(member, key, body=body, at=at).status_code == 401


def test_what_only_reads_may_come_twice(member: Cloud, key: tuple[str, str]) -> None:
    at = datetime.now(UTC)
    assert [_send(member, key, at=at).status_code for _ in range(3)] == [200, 200, 200]


def test_a_creation_with_a_signed_client_token_may_come_twice_and_is_done_once(
    member: Cloud, key: tuple[str, str], unique: Callable[[str], str]
) -> None:
    name, at = unique("repeatable"), datetime.now(UTC)
    body = json.dumps({"volume": {"size": 1, "name": name, "volume_type": "default"}}).encode()
    token = {"x-client-token": str(uuid4())}
    signed = (*_HEADERS[:2], "x-client-token", "x-sdk-date")
    answers = [_send(member, key, body=body, at=at, more=token, names=signed) for _ in range(2)]
    assert [each.status_code for each in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert _volumes_named(member, name) == 1
    # a token that anybody could have put in does not make it repeatable
    body = json.dumps({"volume": {"size": 1, "name": name + "2", "volume_type": "default"}}).encode()
    forged = [
        _send(member, key, body=body, at=at, changed={"x-client-token": str(uuid4())}) for _ in range(2)
    ]
    assert [each.status_code for each in forged] == [202, 401]


def test_used_signatures_are_kept_for_as_long_as_they_would_hold(database_url: str) -> None:
    database = Database(database_url)
    METADATA.create_all(database.engine)
    used = UsedSignatures()
    clock = database.clock.now()

    def use(signature: str, seconds: int) -> bool:
        until = clock + timedelta(seconds=seconds)
        return database.write(lambda tx: used.use(tx, "KEY", signature, until=until))

    assert use("a", -1)
    assert use("b", 900)
    assert not use("a", -1)
    assert database.write(used.forget_expired) == 1
    assert use("a", -1)
    assert not use("b", 900)
    database.close()
