"""Attaching label values to resources, and detaching them."""

from dataclasses import replace

import msgspec
import pytest
from operations_installation import (
    ADMIN,
    MEMBER,
    NEIGHBOUR,
    AnyResource,
    Installation,
)

from stratal.kernel.access import Reach
from stratal.kernel.actions import actions_of
from stratal.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from stratal.kernel.journal import AuditStatus
from stratal.kernel.listing import ListRequest
from stratal.operations import Operations
from waiting import eventually


@pytest.fixture
def gold(installation: Installation, operations: Operations) -> AnyResource:
    """A value of a new key `tier`, in project 1."""
    key = installation.create(operations.label_keys, name="tier")
    return installation.create(operations.label_values, name="gold", label_key_id=key.id)


@pytest.fixture
def site(installation: Installation) -> AnyResource:
    return installation.create(installation.cluster.data_centers, name="east")


def test_a_label_is_shown_with_the_resource_and_counted_by_its_value(
    installation: Installation, gold: AnyResource, site: AnyResource
) -> None:
    installation.label("attach", gold.id, "data_center", site.id)
    [label] = installation.labels(installation.cluster.data_centers, site.id)
    assert (label.label_key_name, label.label_value_name) == ("tier", "gold")
    eventually(lambda: installation.attached(gold.id) == 1)


def test_the_path_segment_of_a_kind_names_it_too(
    installation: Installation, gold: AnyResource, site: AnyResource
) -> None:
    installation.label("attach", gold.id, "data-centers", site.id)
    assert len(installation.labels(installation.cluster.data_centers, site.id)) == 1
    installation.label("detach", gold.id, "data_center", site.id)
    assert installation.labels(installation.cluster.data_centers, site.id) == []


def test_attaching_twice_counts_once(
    installation: Installation, gold: AnyResource, site: AnyResource
) -> None:
    installation.label("attach", gold.id, "data_center", site.id, site.id)
    installation.label("attach", gold.id, "data_center", site.id)
    eventually(lambda: installation.attached(gold.id) == 1)


def test_another_value_of_the_key_takes_the_place_of_the_first_and_both_count_anew(
    installation: Installation, operations: Operations, gold: AnyResource, site: AnyResource
) -> None:
    silver = installation.create(operations.label_values, name="silver", label_key_id=gold.spec.label_key_id)
    installation.label("attach", gold.id, "data_center", site.id)
    eventually(lambda: installation.attached(gold.id) == 1)
    installation.label("attach", silver.id, "data_center", site.id)
    labels = installation.labels(installation.cluster.data_centers, site.id)
    assert [label.label_value_name for label in labels] == ["silver"]
    eventually(lambda: installation.attached(silver.id) == 1)
    eventually(lambda: installation.attached(gold.id) == 0)


def test_detaching_takes_the_label_away_and_counts(
    installation: Installation, gold: AnyResource, site: AnyResource
) -> None:
    installation.label("attach", gold.id, "data_center", site.id)
    eventually(lambda: installation.attached(gold.id) == 1)
    installation.label("detach", gold.id, "data_center", site.id)
    eventually(lambda: installation.attached(gold.id) == 0)
    installation.label("detach", gold.id, "data_center", site.id)


def test_a_value_that_is_deleted_is_detached_everywhere(
    installation: Installation, operations: Operations, gold: AnyResource, site: AnyResource
) -> None:
    installation.label("attach", gold.id, "data_center", site.id)
    installation.delete(operations.label_values, gold.id)
    eventually(lambda: installation.labels(installation.cluster.data_centers, site.id) == [])


def test_a_resource_that_goes_is_no_longer_counted(
    installation: Installation, gold: AnyResource, site: AnyResource
) -> None:
    installation.label("attach", gold.id, "data_center", site.id)
    eventually(lambda: installation.attached(gold.id) == 1)
    installation.delete(installation.cluster.data_centers, site.id)
    eventually(lambda: installation.attached(gold.id) == 0)


def test_a_type_that_does_not_exist_is_answered_with_those_that_do(
    installation: Installation, gold: AnyResource
) -> None:
    with pytest.raises(Invalid, match=r"^spec\.resource_type: .*chassis, data_center, label_key"):
        installation.label("attach", gold.id, "spaceship", 1)


def test_a_resource_that_does_not_exist_is_named_by_its_place_and_nothing_is_attached(
    installation: Installation, gold: AnyResource, site: AnyResource
) -> None:
    with pytest.raises(Invalid, match=r"^spec\.resource_ids\[1\]: there is no data_center 99"):
        installation.label("attach", gold.id, "data_center", site.id, 99)
    assert installation.labels(installation.cluster.data_centers, site.id) == []


def test_a_resource_of_another_project_is_as_good_as_none(
    installation: Installation, operations: Operations, gold: AnyResource
) -> None:
    own = installation.create(operations.label_keys, MEMBER, name="own")
    foreign = installation.create(operations.label_keys, NEIGHBOUR, name="foreign")
    installation.label("attach", gold.id, "label_key", own.id, access=MEMBER)
    with pytest.raises(Invalid, match=r"^spec\.resource_ids\[0\]: there is no label_key"):
        installation.label("attach", gold.id, "label_key", foreign.id, access=MEMBER)
    installation.label("attach", gold.id, "label_key", foreign.id, access=ADMIN)


def test_the_installations_own_resources_are_labelled_with_full_reach_only(
    installation: Installation, gold: AnyResource, site: AnyResource
) -> None:
    with pytest.raises(Invalid, match=r"^spec\.resource_ids\[0\]: there is no data_center"):
        installation.label("attach", gold.id, "data_center", site.id, access=MEMBER)


@pytest.mark.parametrize("verb", ["attach", "detach"])
def test_who_may_not_change_a_kind_may_not_label_it(
    installation: Installation, gold: AnyResource, verb: str
) -> None:
    with pytest.raises(Forbidden, match="may not update rack"):
        installation.label(verb, gold.id, "rack", 1, access=MEMBER)


def test_a_value_of_another_project_cannot_be_attached(
    installation: Installation, gold: AnyResource, site: AnyResource
) -> None:
    with pytest.raises(NotFound):
        installation.label("attach", gold.id, "data_center", site.id, access=NEIGHBOUR)


def test_a_token_without_a_project_labels_nothing_of_any_project(
    installation: Installation, operations: Operations, gold: AnyResource
) -> None:
    key = installation.create(operations.label_keys, name="own")
    nowhere = replace(MEMBER, project_id=None, reach=Reach.ALL)
    with pytest.raises(Invalid):
        installation.label("attach", gold.id, "label_key", key.id, access=nowhere)


def test_a_resource_that_is_being_deleted_gets_no_label(
    installation: Installation, gold: AnyResource, site: AnyResource
) -> None:
    cluster = installation.cluster

    def delete_and_attach(tx: object) -> None:
        # in one transaction, so that the deletion cannot come to its end in between
        cluster.data_centers.delete(tx, ADMIN, site.id)  # type: ignore[arg-type]
        attach = actions_of(installation.operations.label_values)[0]
        body = attach.body(resource_type="data_center", resource_ids=[site.id])
        attach.run(installation.operations.label_values, tx, ADMIN, gold.id, body)

    with pytest.raises(Conflict, match="is being deleted"):
        installation.database.write(delete_and_attach)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"resource_type": "rack"}, "resource_ids"),
        ({"resource_type": "rack", "resource_ids": []}, "resource_ids"),
        ({"resource_type": "rack", "resource_ids": [0]}, "resource_ids"),
        ({"resource_type": "rack", "resource_ids": ["1"]}, "resource_ids"),
        ({"resource_type": "rack", "resource_ids": list(range(1, 1002))}, "resource_ids"),
        ({"resource_type": "", "resource_ids": [1]}, "resource_type"),
        ({"resource_ids": [1]}, "resource_type"),
        ({"resource_type": "rack", "resource_ids": [1], "force": True}, "force"),
    ],
)
def test_a_body_that_is_none_is_refused_before_the_service_sees_it(
    operations: Operations, body: dict[str, object], path: str
) -> None:
    for action in actions_of(operations.label_values):
        with pytest.raises(msgspec.ValidationError, match=path):
            msgspec.convert(body, action.body)


def test_resources_are_found_by_their_labels(
    installation: Installation, gold: AnyResource, site: AnyResource
) -> None:
    installation.create(installation.cluster.data_centers, name="west")
    installation.label("attach", gold.id, "data_center", site.id)
    request = ListRequest(q="metadata.labels.label_value_name:gold")
    data_centers = installation.cluster.data_centers
    listing = installation.database.read(lambda tx: data_centers.page(tx, ADMIN, request))
    assert [item.id for item in listing.items] == [site.id]


def test_labelling_is_audited(
    installation: Installation, operations: Operations, gold: AnyResource, site: AnyResource
) -> None:
    installation.label("attach", gold.id, "data-centers", site.id)
    request = ListRequest(q="action:attach")
    [record] = installation.database.read(lambda tx: operations.audit_logs.page(tx, ADMIN, request)).items
    assert (record.resource_type, record.resource_id) == ("label_value", gold.id)
    assert record.new_data == {"resource_type": "data_center", "resource_ids": [site.id]}
    eventually(
        lambda: (
            installation.database.read(lambda tx: operations.audit_logs.show(tx, ADMIN, record.id)).status
            == AuditStatus.SUCCEEDED
        )
    )
