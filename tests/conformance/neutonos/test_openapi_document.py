"""The committed OpenAPI document: it is what the server makes, valid, and complete."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from neutonos_index import indexed_endpoints, whole_index
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from running_server import Client
from stratal.cli.serve import openapi_document

COMMITTED = Path(__file__).parents[3] / "docs/openapi/neutonos.json"
DOCUMENT: dict[str, Any] = json.loads(COMMITTED.read_text())
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
#: what the reference's index does not have
BEYOND_THE_INDEX = {
    "GET /bs-volumes/{id}/tree": "the layers of a volume are what Stratal is about",
    "GET /vm-images/{id}/download": "what comes in can also get out",
    "GET /vm-snaps/{id}/memory": "a snapshot's own representation has no field for its memory",
    "PATCH /vm-cd-roms/{id}": "insert and eject, beside creating and deleting a drive",
}


def test_the_committed_document_is_what_stratal_openapi_prints() -> None:
    assert COMMITTED.read_bytes() == openapi_document(), (
        "run: .venv/bin/stratal openapi > docs/openapi/neutonos.json"
    )


def test_the_server_serves_the_committed_document(admin: Client) -> None:
    answer = admin.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == COMMITTED.read_bytes()


def test_the_document_is_valid_openapi_3_1() -> None:
    assert [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["schemas"]))
def test_every_schema_is_valid_json_schema(name: str) -> None:
    schema = {**DOCUMENT["components"]["schemas"][name], "components": DOCUMENT["components"]}
    jsonschema_rs.Draft202012Validator(schema)


def test_the_document_has_every_indexed_endpoint() -> None:
    assert {each.key for each in indexed_endpoints()} <= set(OPERATIONS)


def test_the_document_has_nothing_that_the_index_does_not_have_but_for_what_is_meant() -> None:
    assert set(OPERATIONS) - {each.key for each in whole_index()} == set(BEYOND_THE_INDEX)


def test_every_reference_in_the_document_has_a_target() -> None:
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', COMMITTED.read_text()))
    assert names <= set(DOCUMENT["components"]["schemas"])


def test_every_schema_of_the_document_is_used() -> None:
    text = COMMITTED.read_text()
    unused = [
        name for name in DOCUMENT["components"]["schemas"] if f'"#/components/schemas/{name}"' not in text
    ]
    assert unused == []


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("key", sorted(OPERATIONS))
def test_an_operation_documents_what_every_caller_must_expect(key: str) -> None:
    operation = OPERATIONS[key]
    public = operation.get("security") == []
    assert public == (key in ("POST /tokens/:login", "POST /rsa-keys"))
    expected = {"503"}
    if not public:
        expected |= {"401", "403"}
    if "{" in key:
        expected |= {"400", "404"}
    if "requestBody" in operation:
        expected |= {"400", "408", "413", "415"}
    assert expected <= set(operation["responses"])
    successes = [status for status in operation["responses"] if status.startswith("2")]
    assert len(successes) == 1


def test_times_and_integers_have_their_formats() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, shape in schema.get("properties", {}).items():
            for part in shape.get("anyOf", [shape]):
                where = f"{name}.{field}"
                if field.endswith(("_at", "_finish", "_begin")) and part.get("type") == "string":
                    assert part.get("format") == "date-time", where
                if part.get("type") == "integer":
                    assert part.get("format") == "int64", where
