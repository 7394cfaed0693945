"""docs/evs.md says of each call whether it is served, and it is so."""

import re

import pytest

import evs_document
from evs_client import Cloud
from stratal.faces.evs import ENDPOINTS
from stratal.faces.evs.call import Dialect

pytestmark = pytest.mark.xdist_group("evs")

_PART = re.compile(r"\{(\w+)\}")
_UNKNOWN = "00000000-0000-4000-8000-000000000000"


def test_the_document_has_each_call_and_its_status() -> None:
    _, mark, tables = evs_document.DOCUMENT.read_text().partition(evs_document.MARK)
    assert mark
    assert tables.strip() == evs_document.tables().strip()


def test_each_call_that_is_not_served_has_a_reason() -> None:
    rows = [line for line in evs_document.tables().splitlines() if "| no" in line]
    assert rows
    assert all(len(row.rpartition("| no: ")[2]) > 10 for row in rows)


def test_every_call_that_is_served_answers_in_its_dialect(cloud: Cloud) -> None:
    """With ids of nothing and no body: never a page of HTML, never an unexpected error."""
    for endpoint in ENDPOINTS:
        path = _PART.sub(_UNKNOWN, endpoint.path)
        if endpoint.dialect is not Dialect.KEYSTONE and (
            endpoint.documented or endpoint.dialect is Dialect.HUAWEI
        ):
            path = path.replace("/", f"/{path.split('/')[1]}/{cloud.project}/", 1).replace(
                f"{cloud.project}/{path.split('/')[1]}/", f"{cloud.project}/", 1
            )
        answer = cloud.call(endpoint.method, path, version=_version(endpoint.since))
        shown = f"{endpoint.method} {path}: {answer.status_code} {answer.text[:200]}"
        assert answer.status_code < 500, shown
        assert "text/html" not in answer.headers.get("content-type", ""), shown


def test_calls_of_a_later_version_are_not_there_in_an_earlier_one(cloud: Cloud) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.since > (3, 0) and not endpoint.documented:
            path = _PART.sub(_UNKNOWN, endpoint.path)
            before = (3, endpoint.since[1] - 1)
            cloud.call(endpoint.method, path, version=_version(before), expect=404)


def test_nothing_is_served_without_a_token_but_discovery_and_logins(cloud: Cloud) -> None:
    public = {f"{each.method} {each.path}" for each in ENDPOINTS if each.public}
    assert public == {
        "GET /identity",
        "GET /identity/v3",
        "POST /identity/v3/auth/tokens",
        "GET /",
        "GET /image",
        "GET /image/v2",
        "GET /image/versions",
        "GET /v1",
        "GET /v2",
        "GET /v3",
    }
    headers = {"x-auth-token": ""}
    for endpoint in ENDPOINTS:
        if not endpoint.public and not endpoint.documented and endpoint.dialect is not Dialect.HUAWEI:
            path = _PART.sub(_UNKNOWN, endpoint.path)
            cloud.call(endpoint.method, path, headers=headers, expect=401)


def _version(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
