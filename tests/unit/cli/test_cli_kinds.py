"""What the client knows of a server by its OpenAPI document, here the one that is committed."""

import json
from functools import cache
from pathlib import Path

import pytest

from stratal.cli.client.errors import BadArgument
from stratal.cli.client.kinds import Document
from stratal.cli.client.output import columns_of

FILE = Path(__file__).parents[3] / "docs" / "openapi" / "neutonos.json"


@cache
def document() -> Document:
    return Document(json.loads(FILE.read_text()))


def test_every_collection_of_the_document_is_a_kind() -> None:
    paths = json.loads(FILE.read_text())["paths"]
    collections = {path[1:] for path in paths if f"{path}/{{id}}" in paths and "get" in paths[path]}
    assert set(document().plurals) == collections
    for plural in document().plurals:
        kind = document().kind(plural)
        assert {"list", "show"} <= kind.verbs
        assert columns_of(kind)


@pytest.mark.parametrize("text", ["bs-volumes", "bs_volumes", "bs-volume", "bs_volume", "BS-Volumes"])
def test_a_kind_may_be_called_by_its_plural_or_its_name(text: str) -> None:
    assert document().kind(text).plural == "bs-volumes"


def test_a_kind_that_is_not_there_is_answered_with_similar_ones() -> None:
    with pytest.raises(BadArgument, match="did you mean bs-volumes"):
        document().kind("bs-volums")


def test_a_kind_knows_its_verbs_bodies_and_actions() -> None:
    volumes = document().kind("bs-volumes")
    assert volumes.verbs == {"list", "show", "create", "update", "delete"}
    assert volumes.create["size_mb"].type == "integer"
    assert volumes.create["size_mb"].required
    assert volumes.create["vm_image_id"].type == "integer"
    assert not volumes.create["vm_image_id"].required
    assert set(volumes.actions) >= {"clone", "flatten", "rollback"}
    assert volumes.actions["rollback"].of_one
    assert not volumes.actions["clone"].of_one
    assert "bs_snap_id" in volumes.actions["rollback"].fields


def test_a_stream_is_no_action_that_can_be_typed() -> None:
    assert "upload" not in document().kind("vm-images").actions


def test_choices_are_read_from_enumerations() -> None:
    assert "qcow2" in document().kind("vm-images").create["format"].choices


def test_flat_records_are_told_from_resources() -> None:
    assert not document().kind("events").is_resource
    assert "message" in document().kind("events").spec
    assert document().kind("nodes").is_resource


@pytest.mark.parametrize(
    ("field", "plural"),
    [
        ("bs_policy_id", "bs-policies"),
        ("rollback_bs_snap_id", "bs-snaps"),
        ("default_project_id", "projects"),
        ("node_ids", "nodes"),
        ("pool_id", None),
        ("size_mb", None),
        ("rsa_key_id", None),
    ],
)
def test_a_field_tells_the_kind_that_it_refers_to(field: str, plural: str | None) -> None:
    assert document().target(field) == plural


def test_a_field_of_a_machine_refers_to_machines_by_their_short_name() -> None:
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/VirtualMachine"}}}}
    get = {"get": {"responses": {"200": answer}}}
    found = Document({"paths": {"/virtual-machines": get, "/virtual-machines/{id}": get}})
    assert found.target("vm_id") == "virtual-machines"
    assert found.target("violating_vm_ids") == "virtual-machines"
    assert found.kind("vm").plural == "virtual-machines"
