"""Label keys and values as resources: names, projects, counters, deletion."""

import msgspec
import pytest
from operations_installation import MEMBER, NEIGHBOUR, Installation

from stratal.kernel.errors import Conflict, Invalid, NotFound
from stratal.kernel.state import State
from stratal.operations import Operations
from waiting import eventually


def test_a_key_counts_the_values_that_it_has(installation: Installation, operations: Operations) -> None:
    key = installation.create(operations.label_keys, name="tier")
    values = [installation.create(operations.label_values, name=name, label_key_id=key.id) for name in "abc"]
    count = lambda: installation.show(operations.label_keys, key.id).status.label_value_num  # noqa: E731
    eventually(lambda: count() == 3)
    installation.delete(operations.label_values, values[0].id)
    eventually(lambda: count() == 2)


def test_a_key_with_values_cannot_be_deleted(installation: Installation, operations: Operations) -> None:
    key = installation.create(operations.label_keys, name="tier")
    installation.create(operations.label_values, name="gold", label_key_id=key.id)
    with pytest.raises(Conflict, match="1 label_value still in label_key"):
        installation.delete(operations.label_keys, key.id)


def test_names_of_keys_are_unique_in_a_project_and_free_in_another(
    installation: Installation, operations: Operations
) -> None:
    installation.create(operations.label_keys, MEMBER, name="tier")
    installation.create(operations.label_keys, NEIGHBOUR, name="tier")
    with pytest.raises(Conflict, match="already a label_key"):
        installation.create(operations.label_keys, MEMBER, name="tier")


def test_names_of_values_are_unique_in_a_key(installation: Installation, operations: Operations) -> None:
    tier, owner = (installation.create(operations.label_keys, name=name) for name in ("tier", "owner"))
    installation.create(operations.label_values, name="x", label_key_id=tier.id)
    installation.create(operations.label_values, name="x", label_key_id=owner.id)
    with pytest.raises(Conflict, match="already a label_value"):
        installation.create(operations.label_values, name="x", label_key_id=tier.id)


def test_a_project_does_not_see_the_labels_of_another(
    installation: Installation, operations: Operations
) -> None:
    key = installation.create(operations.label_keys, MEMBER, name="tier")
    with pytest.raises(NotFound):
        installation.show(operations.label_keys, key.id, NEIGHBOUR)
    with pytest.raises(Invalid, match=r"^spec\.label_key_id: "):
        installation.create(operations.label_values, NEIGHBOUR, name="gold", label_key_id=key.id)


def test_even_an_administrator_adds_values_only_to_keys_of_the_same_project(
    installation: Installation, operations: Operations
) -> None:
    key = installation.create(operations.label_keys, NEIGHBOUR, name="tier")
    with pytest.raises(Invalid, match=r"^spec\.label_key_id: there is no label_key 1 in the project"):
        installation.create(operations.label_values, name="gold", label_key_id=key.id)


def test_a_value_of_a_key_that_does_not_exist_is_refused(
    installation: Installation, operations: Operations
) -> None:
    with pytest.raises(Invalid, match=r"^spec\.label_key_id: there is no label_key 9"):
        installation.create(operations.label_values, name="gold", label_key_id=9)


def test_labels_are_created_and_deleted_but_never_renamed(operations: Operations) -> None:
    assert operations.label_keys.update_body is None
    assert operations.label_values.update_body is None


@pytest.mark.parametrize("name", ["", "x" * 256, "a\x00b", None, 7])
def test_a_name_that_is_none_is_refused(operations: Operations, name: object) -> None:
    assert operations.label_keys.create_body is not None
    with pytest.raises(msgspec.ValidationError, match=r"\$\.name"):
        msgspec.convert({"name": name}, operations.label_keys.create_body)


def test_a_new_key_becomes_active(installation: Installation, operations: Operations) -> None:
    key = installation.create(operations.label_keys, MEMBER, name="tier")
    eventually(lambda: installation.show(operations.label_keys, key.id).state.state is State.ACTIVE)
    assert key.spec.project_id == MEMBER.project_id
