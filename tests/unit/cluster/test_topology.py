"""Data centres, rooms, racks and chassis: names, references, moves, and counters that follow."""

from typing import Any

import msgspec
import pytest
from cluster_installation import ADMIN, Installation

from stratal.cluster import Cluster
from stratal.kernel.errors import Conflict, Invalid, NotFound, PreconditionFailed
from stratal.kernel.fields import UpdateSpec
from stratal.kernel.journal import AUDIT_LOG
from stratal.kernel.listing import ListRequest
from stratal.kernel.records import RecordService
from stratal.kernel.service import ResourceService
from stratal.kernel.state import State
from waiting import eventually


def active(installation: Installation, service: ResourceService[Any, Any], id: int) -> None:
    eventually(lambda: installation.show(service, id).state.state is State.ACTIVE)


def gone(installation: Installation, service: ResourceService[Any, Any], id: int) -> bool:
    try:
        installation.show(service, id)
    except NotFound:
        return True
    return False


def test_a_new_data_centre_becomes_active_and_counts_nothing(
    installation: Installation, cluster: Cluster
) -> None:
    created = installation.create(cluster.data_centers, name="east")
    assert created.state.state is State.CREATING
    active(installation, cluster.data_centers, created.id)
    assert installation.counts(cluster.data_centers, created.id) == (0, 0)


def test_counters_are_shown_while_they_are_zero_and_unset_columns_are_not(
    installation: Installation, cluster: Cluster
) -> None:
    created = installation.create(cluster.data_centers, name="east")
    status, spec = msgspec.to_builtins(created.status), msgspec.to_builtins(created.spec)
    assert (status["child_num"], status["node_num"]) == (0, 0)
    assert "sds_placement_node_id" not in status
    assert "is_witness" not in spec


def test_two_data_centres_cannot_have_one_name(installation: Installation, cluster: Cluster) -> None:
    installation.create(cluster.data_centers, name="east")
    with pytest.raises(Conflict, match="already a data_center with name 'east'"):
        installation.create(cluster.data_centers, name="east")


def test_rooms_of_one_name_may_be_in_two_data_centres_but_not_in_one(
    installation: Installation, cluster: Cluster
) -> None:
    east = installation.create(cluster.data_centers, name="east")
    west = installation.create(cluster.data_centers, name="west")
    installation.create(cluster.rooms, name="hall", data_center_id=east.id)
    other = installation.create(cluster.rooms, name="hall", data_center_id=west.id)
    with pytest.raises(Conflict):
        installation.create(cluster.rooms, name="hall", data_center_id=east.id)
    with pytest.raises(Conflict):
        installation.update(cluster.rooms, other.id, data_center_id=east.id)


@pytest.mark.parametrize(
    ("service", "field"),
    [("rooms", "data_center_id"), ("racks", "room_id"), ("chassises", "rack_id")],
)
def test_a_level_cannot_be_put_into_something_that_does_not_exist(
    installation: Installation, cluster: Cluster, service: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        installation.create(getattr(cluster, service), name="x", **{field: 99})
    assert refused.value.fields["field"] == f"spec.{field}"


def test_numbers_travel_up_from_a_node_to_its_data_centre(
    installation: Installation, cluster: Cluster
) -> None:
    chassis = installation.chassis()
    installation.node("node-1", chassis.id)
    installation.node("node-2", chassis.id)
    eventually(lambda: installation.counts(cluster.chassises, chassis.id) == (2, 2))
    eventually(lambda: installation.counts(cluster.racks, chassis.spec.rack_id) == (1, 2))
    eventually(lambda: installation.counts(cluster.rooms, 1) == (1, 2))
    eventually(lambda: installation.counts(cluster.data_centers, 1) == (1, 2))


def test_a_room_that_moves_takes_its_numbers_with_it(installation: Installation, cluster: Cluster) -> None:
    chassis = installation.chassis()
    installation.node("node-1", chassis.id)
    west = installation.create(cluster.data_centers, name="west")
    eventually(lambda: installation.counts(cluster.data_centers, 1) == (1, 1))
    installation.update(cluster.rooms, 1, data_center_id=west.id)
    eventually(lambda: installation.counts(cluster.data_centers, west.id) == (1, 1))
    eventually(lambda: installation.counts(cluster.data_centers, 1) == (0, 0))


def test_a_rack_that_moves_takes_its_numbers_with_it(installation: Installation, cluster: Cluster) -> None:
    chassis = installation.chassis()
    other = installation.create(cluster.rooms, name="annex", data_center_id=1)
    installation.update(cluster.racks, chassis.spec.rack_id, room_id=other.id)
    eventually(lambda: installation.counts(cluster.rooms, other.id) == (1, 0))
    eventually(lambda: installation.counts(cluster.rooms, 1) == (0, 0))


def test_deletion_is_refused_from_above_and_followed_by_the_counters_from_below(
    installation: Installation, cluster: Cluster
) -> None:
    chassis = installation.chassis()
    rack_id = chassis.spec.rack_id
    with pytest.raises(Conflict, match="1 chassis still in rack"):
        installation.delete(cluster.racks, rack_id)
    eventually(lambda: installation.counts(cluster.racks, rack_id) == (1, 0))
    assert installation.delete(cluster.chassises, chassis.id).state.state is State.DELETING
    eventually(lambda: gone(installation, cluster.chassises, chassis.id))
    eventually(lambda: installation.counts(cluster.racks, rack_id) == (0, 0))
    installation.delete(cluster.racks, rack_id)
    eventually(lambda: gone(installation, cluster.racks, rack_id))


def test_an_update_on_an_etag_that_is_outdated_is_refused(
    installation: Installation, cluster: Cluster
) -> None:
    created = installation.create(cluster.data_centers, name="east")
    installation.update(cluster.data_centers, created.id, description="changed")
    with pytest.raises(PreconditionFailed):
        installation.database.write(
            lambda tx: cluster.data_centers.update(
                tx, ADMIN, created.id, _rename("south"), if_match=created.spec.etag
            )
        )


def _rename(name: str) -> UpdateSpec:
    return UpdateSpec(name=name)


@pytest.mark.parametrize(
    ("service", "verb", "names"),
    [
        ("data_centers", "create", {"name", "description", "is_witness"}),
        ("data_centers", "update", {"name", "description", "is_witness"}),
        ("rooms", "create", {"name", "description", "data_center_id"}),
        ("rooms", "update", {"name", "description", "data_center_id"}),
        ("racks", "create", {"name", "description", "room_id", "height_u"}),
        ("racks", "update", {"name", "description", "room_id", "height_u"}),
        ("chassises", "create", {"name", "description", "rack_id", "height_u"}),
        ("chassises", "update", {"name", "description", "height_u"}),
    ],
)
def test_bodies_hold_what_can_be_wanted_and_refuse_the_rest(
    cluster: Cluster, service: str, verb: str, names: set[str]
) -> None:
    body = getattr(getattr(cluster, service), f"{verb}_body")
    assert set(body.__struct_fields__) == names
    required = {"name": "x", **{name: 1 for name in names if name.endswith("_id")}}
    with pytest.raises(msgspec.ValidationError, match="unknown field `child_num`"):
        msgspec.convert({**required, "child_num": 2}, body)


def test_a_list_is_filtered_and_sorted_by_what_is_counted(
    installation: Installation, cluster: Cluster
) -> None:
    chassis = installation.chassis()
    installation.create(cluster.racks, name="empty", room_id=1)
    eventually(lambda: installation.counts(cluster.racks, chassis.spec.rack_id) == (1, 0))
    listing = installation.database.read(
        lambda tx: cluster.racks.page(tx, ADMIN, ListRequest(q="status.child_num:1", sort="spec.name:asc"))
    )
    assert [rack.spec.name for rack in listing.items] == ["rack"]


def test_the_audit_log_names_who_moved_what_from_where_to_where(
    installation: Installation, cluster: Cluster
) -> None:
    installation.chassis()
    west = installation.create(cluster.data_centers, name="west")
    installation.update(cluster.rooms, 1, data_center_id=west.id)
    audit_logs = RecordService(AUDIT_LOG)
    request = ListRequest(q="resource_type:room AND action:update")
    [record] = installation.database.read(lambda tx: audit_logs.page(tx, ADMIN, request)).items
    assert (record.user_name, record.client_ip) == ("admin", "192.0.2.1")
    assert (record.old_data, record.new_data) == ({"data_center_id": 1}, {"data_center_id": west.id})
