"""Moving nodes from one chassis to another."""

from collections.abc import Sequence

import msgspec
import pytest
from cluster_installation import ADMIN, AnyResource, Installation

from stratal.cluster import Cluster
from stratal.kernel.actions import actions_of
from stratal.kernel.errors import Conflict, Invalid, NotFound
from stratal.kernel.journal import AUDIT_LOG, AuditLog, AuditStatus
from stratal.kernel.listing import ListRequest
from stratal.kernel.records import RecordService
from waiting import eventually


@pytest.fixture
def source(installation: Installation) -> AnyResource:
    return installation.chassis("source")


@pytest.fixture
def target(installation: Installation) -> AnyResource:
    return installation.chassis("target")


def switch(
    installation: Installation, chassis_id: int, node_ids: Sequence[int], target_id: int
) -> AnyResource:
    [action] = actions_of(installation.cluster.chassises)
    body = action.body(node_ids=list(node_ids), chassis_id=target_id)
    return installation.database.write(
        lambda tx: action.run(installation.cluster.chassises, tx, ADMIN, chassis_id, body)
    )


def test_nodes_that_are_named_move_and_both_chassis_count_anew(
    installation: Installation, cluster: Cluster, source: AnyResource, target: AnyResource
) -> None:
    first, second, third = (installation.node(f"node-{number}", source.id) for number in (1, 2, 3))
    eventually(lambda: installation.counts(cluster.chassises, source.id) == (3, 3))
    assert switch(installation, source.id, [third.id, first.id], target.id).id == source.id
    eventually(lambda: installation.counts(cluster.chassises, source.id) == (1, 1))
    eventually(lambda: installation.counts(cluster.chassises, target.id) == (2, 2))
    eventually(lambda: installation.counts(cluster.data_centers, 2) == (1, 2))
    places = [installation.show(cluster.nodes, node.id).spec.chassis_id for node in (first, second, third)]
    assert places == [target.id, source.id, target.id]


def test_a_node_of_another_chassis_is_named_by_its_place_and_nothing_moves(
    installation: Installation, cluster: Cluster, source: AnyResource, target: AnyResource
) -> None:
    inside, outside = installation.node("node-1", source.id), installation.node("node-2")
    with pytest.raises(Invalid) as refused:
        switch(installation, source.id, [inside.id, outside.id], target.id)
    assert refused.value.fields["field"] == "spec.node_ids[1]"
    assert installation.show(cluster.nodes, inside.id).spec.chassis_id == source.id


def test_a_node_that_does_not_exist_is_named_by_its_place(
    installation: Installation, source: AnyResource, target: AnyResource
) -> None:
    with pytest.raises(Invalid, match=r"^spec\.node_ids\[0\]: "):
        switch(installation, source.id, [77], target.id)


def test_a_node_named_twice_is_refused(
    installation: Installation, source: AnyResource, target: AnyResource
) -> None:
    node = installation.node("node-1", source.id)
    with pytest.raises(Invalid, match=r"^spec\.node_ids\[1\]: .*twice"):
        switch(installation, source.id, [node.id, node.id], target.id)


def test_a_target_that_does_not_exist_is_refused(installation: Installation, source: AnyResource) -> None:
    node = installation.node("node-1", source.id)
    with pytest.raises(Invalid, match=r"^spec\.chassis_id: there is no chassis 99"):
        switch(installation, source.id, [node.id], 99)


def test_the_same_chassis_is_no_target(installation: Installation, source: AnyResource) -> None:
    node = installation.node("node-1", source.id)
    with pytest.raises(Invalid, match=r"^spec\.chassis_id: "):
        switch(installation, source.id, [node.id], source.id)


def test_a_source_that_does_not_exist_is_not_found(installation: Installation, target: AnyResource) -> None:
    with pytest.raises(NotFound):
        switch(installation, 99, [1], target.id)


def test_a_chassis_that_still_holds_nodes_cannot_be_deleted(
    installation: Installation, cluster: Cluster, source: AnyResource
) -> None:
    installation.node("node-1", source.id)
    with pytest.raises(Conflict, match="1 node still in chassis"):
        installation.delete(cluster.chassises, source.id)


@pytest.mark.parametrize("node_ids", [[], list(range(1, 1002)), [0], ["1"], None])
def test_a_list_of_nodes_that_is_none_is_refused_before_the_service_sees_it(
    cluster: Cluster, node_ids: object
) -> None:
    [action] = actions_of(cluster.chassises)
    with pytest.raises(msgspec.ValidationError, match=r"\$\.node_ids"):
        msgspec.convert({"node_ids": node_ids, "chassis_id": 1}, action.body)


def test_a_switch_is_audited_and_succeeds_when_both_have_come_to_rest(
    installation: Installation, source: AnyResource, target: AnyResource
) -> None:
    node = installation.node("node-1", source.id)
    switch(installation, source.id, [node.id], target.id)
    audit_logs, request = RecordService(AUDIT_LOG), ListRequest(q="action:switch-chassis")

    def record() -> AuditLog:
        return installation.database.read(lambda tx: audit_logs.page(tx, ADMIN, request)).items[0]

    eventually(lambda: record().status == AuditStatus.SUCCEEDED)
    assert record().new_data == {"node_ids": [node.id], "chassis_id": target.id}
