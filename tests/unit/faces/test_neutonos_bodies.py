"""What is wrong with a body is said with the path of it."""

import json
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratal.faces.neutonos.bodies import repeated_key
from stratal.faces.neutonos.endpoint import request_type
from stratal.faces.neutonos.problems import invalid_body
from stratal.kernel.errors import Invalid
from stratal.kernel.fields import ActionSpec, Id, Name, StringSlice


class Inner(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    name: Name


class Body(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    tags: StringSlice = msgspec.field(default_factory=list)
    ids: list[Id] = msgspec.field(default_factory=list)
    inner: Inner | None = None
    levels: Annotated[list[Inner], msgspec.Meta(max_length=2)] = msgspec.field(default_factory=list)


def problem(body: bytes) -> Invalid:
    with pytest.raises(msgspec.DecodeError) as caught:
        msgspec.json.decode(body, type=request_type(Body))
    return invalid_body(caught.value)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ('{"tags":["a,b"]}', "spec.tags[0]"),
        ('{"tags":["fine","a,b"]}', "spec.tags[1]"),
        ('{"tags":[""]}', "spec.tags[0]"),
        ('{"tags":["a\\u0000"]}', "spec.tags[0]"),
        ('{"tags":"a"}', "spec.tags"),
        ('{"tags":[1]}', "spec.tags[0]"),
        (json.dumps({"tags": ["x"] * 257}), "spec.tags"),
        ('{"ids":[1,-1]}', "spec.ids[1]"),
        ('{"inner":{"name":""}}', "spec.inner.name"),
        ('{"inner":{}}', "spec.inner.name"),
        ('{"inner":{"name":"x","more":1}}', "spec.inner.more"),
        ('{"levels":[{"name":"x"},{"name":1}]}', "spec.levels[1].name"),
        ('{"nothing":1}', "spec.nothing"),
        ("7", "spec"),
    ],
)
def test_the_field_is_named_by_its_path(spec: str, field: str) -> None:
    found = problem(f'{{"spec":{spec}}}'.encode())
    assert found.fields["field"] == field
    assert found.message.startswith(f"{field}: ")
    assert "`" not in field
    assert "$" not in found.message
    assert "regex" not in found.message


def test_what_is_no_json_at_all_is_the_bodys_fault() -> None:
    assert problem(b"{").fields["field"] == "body"


def test_a_comma_is_what_a_slice_cannot_hold() -> None:
    decoded = msgspec.json.decode(b'{"spec":{"tags":["a b","c;d"]}}', type=request_type(Body))
    assert decoded.spec.tags == ["a b", "c;d"]


def test_a_body_of_which_nothing_is_required_may_be_empty() -> None:
    for raw in (b"{}", b'{"spec":{}}'):
        assert msgspec.json.decode(raw, type=request_type(Body)).spec == Body()


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"", None),
        (b"{}", None),
        (b'{"a":1,"b":{"a":1}}', None),
        (b'[{"a":1},{"a":1}]', None),
        (b'{"a":1,"a":1}', "a"),
        (b'{"a":{"b":1,"c":2,"b":3}}', "a.b"),
        (b'{"a":[{"b":1},{"b":1,"b":2}]}', "a[1].b"),
        (b'{"a":1,"\\u0061":1}', "a"),
        (b'{"":1,"":2}', ""),
        (b'{"spec":{"x":' + b"9" * 10_000 + b',"y":1e999}}', None),
    ],
)
def test_a_name_that_an_object_has_twice_is_found(raw: bytes, path: str | None) -> None:
    assert repeated_key(raw) == path


_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=2), below, max_size=3),
    max_leaves=12,
)


@given(_JSON)
def test_what_a_json_writer_writes_has_no_name_twice(value: Any) -> None:
    assert repeated_key(json.dumps(value).encode()) is None
