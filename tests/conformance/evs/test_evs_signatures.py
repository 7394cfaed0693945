"""Requests that are signed with an access key."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from evs_client import Cloud
from stratal.faces.evs.signing import SignedRequest, sign

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
) -> httpx.Response:
    """A signed request. `sent` and `changed` are what arrives in place of what was signed."""
    method = "POST" if body else "GET"
    path = path or f"/v2/{cloud.project}/cloudvolumes" + ("" if body else "/detail")
    plain, _, query = path.partition("?")
    headers = {
        "content-type": "application/json",
        "host": cloud.base.removeprefix("http://"),
        "x-sdk-date": (at or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ"),
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
