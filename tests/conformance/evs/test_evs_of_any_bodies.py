"""Whatever a body or a query holds, the answer is one of the API's: never a 500, never a page of HTML."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evs_client import Cloud
from stratal.faces.evs import ENDPOINTS
from stratal.faces.evs.call import Dialect, Endpoint
from stratal.faces.evs.volume.actions import ACTIONS
from thoroughness import examples

pytestmark = pytest.mark.xdist_group("evs")

_PART = re.compile(r"\{(\w+)\}")
WRITING = [each for each in ENDPOINTS if each.changes and each.dialect is not Dialect.KEYSTONE]
LISTING = [
    each for each in ENDPOINTS if each.verb == "list" and each.method == "GET" and "{" not in each.path
]
FIELDS = [
    "name",
    "description",
    "display_name",
    "size",
    "new_size",
    "volume_id",
    "volume_uuid",
    "snapshot_id",
    "source_volid",
    "imageRef",
    "backup_id",
    "group_id",
    "group_type",
    "volume_type",
    "volume_types",
    "new_type",
    "availability_zone",
    "metadata",
    "tags",
    "multiattach",
    "force",
    "count",
    "iops",
    "throughput",
    "instance_uuid",
    "host_name",
    "mountpoint",
    "mode",
    "connector",
    "attachment_id",
    "status",
    "attach_status",
    "bootable",
    "readonly",
    "key",
    "value",
    "keys",
    "auth_key",
    "no_snapshots",
    "add_volumes",
    "remove_volumes",
    "list_volume",
    "delete-volumes",
    "action",
    "retention_days",
    "instant_access",
    "incremental",
    "volume_ids",
    "image_name",
    "disk_format",
]
KEYS = [
    "volume",
    "snapshot",
    "rollback",
    "metadata",
    "meta",
    "attachment",
    "transfer",
    "accept",
    "group",
    "group_snapshot",
    "create-from-src",
    "os-retype",
    "os-extend",
    "snapshot_group",
    "tags",
    "tag",
    "action",
    "quota_set",
    "qos_specs",
    "volume_type",
    "extra_specs",
]
PARAMETERS = [
    "name",
    "name~",
    "status",
    "id",
    "ids",
    "volume_id",
    "marker",
    "limit",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "metadata",
    "size",
    "created_at",
    "updated_at",
    "bootable",
    "multiattach",
    "availability_zone",
    "with_count",
    "all_tenants",
    "server_id",
    "not_metadata",
    "project_id",
]


class Own:
    """Ids that mean something, put in where a value says so."""

    VOLUME, SNAPSHOT = "<volume>", "<snapshot>"


_texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "\0", "\ud800", "x" * 300, "true", "-1", "1e9", "{", "%s", "a:b", "gt:", "None", "ü" * 90]
    ),
    st.sampled_from([Own.VOLUME, Own.SNAPSHOT, "default", "nova", "11111111-2222-4333-8444-555555555555"]),
)
_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 5),
        st.sampled_from([2**31, 2**63, -(2**63) - 1, 2**80, 1.5, -0.0, 1e300]),
        _texts,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)
_objects = st.dictionaries(st.sampled_from(FIELDS), _values, max_size=5)
_bodies = st.one_of(
    st.builds(lambda key, value: {key: value}, st.sampled_from([*KEYS, *ACTIONS]), _objects | _values),
    _objects,
    _values,
)


@pytest.fixture(scope="module")
def anybody(cloud: Cloud) -> Iterator[Cloud]:
    """A project's administrator, in a project whose quota keeps the tests from filling the machine."""
    cloud.identity("POST", "/projects", {"project": {"name": "evs-anybody"}}, expect=201)
    password = cloud.new_user("evs-anybody", "evs-anybody", "manager")
    with Cloud(cloud.server, "evs-anybody", password, "evs-anybody") as client:
        quota = {"quota_set": {"volumes": 30, "snapshots": 30, "gigabytes": 100, "groups": 10}}
        cloud.call("PUT", f"/v3/os-quota-sets/{client.project}", quota, expect=200)
        yield client


@pytest.fixture(scope="module")
def own(anybody: Cloud) -> dict[str, str]:
    volume = anybody.volume(metadata={"k": "v"})
    return {Own.VOLUME: volume, Own.SNAPSHOT: anybody.snapshot(volume)}


def _with_ids(value: Any, own: dict[str, str]) -> Any:
    match value:
        case str():
            return own.get(value, value)
        case list():
            return [_with_ids(each, own) for each in value]
        case dict():
            return {_with_ids(key, own): _with_ids(each, own) for key, each in value.items()}
        case _:
            return value


def _path(endpoint: Endpoint, cloud: Cloud, own: dict[str, str]) -> str:
    id = own[Own.SNAPSHOT if "snapshots" in endpoint.path else Own.VOLUME]
    parts = {"id": id, "key": "k", "resource_type": "volumes"}
    path = _PART.sub(lambda match: parts[match[1]], endpoint.path)
    if endpoint.documented or endpoint.dialect is Dialect.HUAWEI:
        _, version, rest = path.split("/", 2)
        return f"/{version}/{cloud.project}/{rest}"
    return path


def _asked(cloud: Cloud, endpoint: Endpoint, path: str, **request: Any) -> None:
    headers = {"openstack-api-version": "volume 3.66"}
    answer = cloud.http.request(endpoint.method, path, headers=headers, **request)
    shown = f"{endpoint.method} {path} {request}: {answer.status_code} {answer.text[:300]}"
    assert answer.status_code < 500, shown
    assert "text/html" not in answer.headers.get("content-type", ""), shown
    if answer.content:
        answer.json()


@settings(
    max_examples=examples(250),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(endpoint=st.sampled_from(WRITING), body=_bodies)
def test_any_body_is_answered_in_the_words_of_the_api(
    anybody: Cloud, own: dict[str, str], endpoint: Endpoint, body: Any
) -> None:
    _asked(anybody, endpoint, _path(endpoint, anybody, own), content=json.dumps(_with_ids(body, own)))


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    endpoint=st.sampled_from(LISTING),
    query=st.lists(
        st.tuples(
            st.sampled_from(PARAMETERS),
            _texts.filter(lambda text: "\ud800" not in text) | st.integers().map(str),
        ),
        max_size=4,
    ),
)
def test_any_query_is_answered_in_the_words_of_the_api(
    anybody: Cloud, own: dict[str, str], endpoint: Endpoint, query: list[tuple[str, str]]
) -> None:
    parameters = [(name, own.get(value, value)) for name, value in query]
    _asked(anybody, endpoint, _path(endpoint, anybody, own), params=parameters)


@settings(max_examples=examples(100), deadline=None)
@given(endpoint=st.sampled_from(WRITING), content=st.binary(max_size=40))
def test_any_bytes_are_answered_in_the_words_of_the_api(
    anybody: Cloud, own: dict[str, str], endpoint: Endpoint, content: bytes
) -> None:
    _asked(anybody, endpoint, _path(endpoint, anybody, own), content=content)
