"""Policies, how full their places are, and how much may be promised of them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage_installation import (
    ADMIN,
    MEMBER,
    NEIGHBOUR,
    Installation,
    eventually,
    running,
    simulated,
)
from stratal.identity.project.model import PROJECT
from stratal.kernel.errors import Conflict, Invalid, StratalError
from stratal.kernel.store import Store
from stratal.storage.bs_policy.model import PoolStatus
from stratal.storage.bs_volume.model import MIB
from stratal.storage.drivers.errors import BackendUnavailable
from stratal.storage.drivers.simulated import Script
from stratal.storage.os_release.releases import RELEASES


def project(here: Installation, quota_mb: int) -> int:
    """A project of that quota."""
    spec = {"enabled": True, "cpu_quota": 0, "memory_mb_quota": 0, "storage_mb_quota": quota_mb}
    return here.database.write(
        lambda tx: Store(PROJECT).insert(tx, {"name": f"quota-{quota_mb}", "description": "", **spec})
    )


def refusals(here: Installation, count: int, **spec: object) -> list[StratalError]:
    """Ask for many volumes at the same time. Returns what was refused."""

    def ask(number: int) -> StratalError | None:
        try:
            here.create(here.volumes, MEMBER, name=f"v{number}", **spec)
        except StratalError as error:
            return error
        return None

    with ThreadPoolExecutor(8) as pool:
        return [error for error in pool.map(ask, range(count)) if error is not None]


def test_the_first_start_makes_a_policy_and_later_ones_do_not(sqlite_url: str) -> None:
    with running(sqlite_url) as here:
        [first] = here.database.read(lambda tx: here.storage.bs_policies.store.find(tx))
        assert (first.spec.name, first.spec.driver, first.spec.thin_provisioned) == (
            "default",
            "simulated",
            True,
        )
        here.active(here.policies, first.id)
        here.remove(here.policies, first.id)
    with running(sqlite_url) as here:
        assert here.database.read(lambda tx: here.storage.bs_policies.store.find(tx)) == []


def test_a_policy_counts_its_volumes_and_what_they_may_grow_to(here: Installation) -> None:
    policy = here.policy()
    for size_mb in (1, 2):
        here.volume(size_mb=size_mb, bs_policy_id=policy)
    eventually(lambda: here.show(here.policies, policy).status.bs_volume_num == 2)
    found = here.show(here.policies, policy).status
    assert (found.allocated_byte, found.total_byte) == (3 * MIB, 2**60)
    assert found.pool_status is PoolStatus.HEALTHY
    items = here.database.read(here.storage.bs_policies.summary).items
    assert [(item.name, item.allocated_byte, item.bs_volume_num) for item in items] == [
        ("default", 0, 0),
        ("gold", 3 * MIB, 2),
    ]


def test_a_policy_in_use_is_not_deleted(here: Installation) -> None:
    policy = here.policy()
    volume = here.volume(bs_policy_id=policy)
    with pytest.raises(Conflict, match="1 bs_volume still in bs_policy"):
        here.delete(here.policies, policy)
    here.remove(here.volumes, volume)
    here.remove(here.policies, policy)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"driver": "floppy"}, "spec.driver"),
        ({"place": "nowhere"}, "spec.place"),
        ({"data_replica_num": 3}, "spec.data_replica_num"),
        ({"data_replica_type": "ec"}, "spec.data_replica_type"),
        ({"cache_enabled": True}, "spec.cache_enabled"),
        ({"cache_replica_num": 1}, "spec.cache_replica_num"),
        ({"max_total_iops": 3}, "spec.max_total_iops"),
        ({"thin_provisioned": False, "overcommit": 2.0}, "spec.overcommit"),
    ],
)
def test_a_policy_that_cannot_be_honoured_is_refused(
    here: Installation, spec: dict[str, object], field: str
) -> None:
    with pytest.raises(Invalid, match=field.replace(".", r"\.")):
        here.create(here.policies, name="silver", **spec)


def test_a_place_that_goes_away_shows_and_comes_back(here: Installation) -> None:
    policy = here.policy()
    driver = here.driver(policy)
    capacity = driver.capacity

    def unavailable() -> None:
        raise BackendUnavailable(place="memory", reason="the cable is out")

    driver.capacity = unavailable
    here.update(here.policies, policy, description="look")
    eventually(lambda: here.show(here.policies, policy).status.pool_status is PoolStatus.UNAVAILABLE)
    assert "the cable is out" in here.show(here.policies, policy).status.problem
    driver.capacity = capacity
    here.update(here.policies, policy, description="look again")
    eventually(lambda: here.show(here.policies, policy).status.pool_status is PoolStatus.HEALTHY)
    told = [event for event, _ in here.events() if event.startswith("bs_policy_") and "av" in event]
    assert told == ["bs_policy_unavailable", "bs_policy_available"]


def test_a_projects_quota_holds_however_many_ask_at_once(anywhere: Installation) -> None:
    member = project(anywhere, 100)
    assert member == MEMBER.project_id
    refused = refusals(anywhere, 24, size_mb=10, bs_policy_id=anywhere.default_policy)
    assert len(refused) == 14
    assert {error.code for error in refused} == {"quota_exceeded"}
    assert "100 of 100 MiB" in str(refused[-1])


def test_a_policys_overcommitment_holds_however_many_ask_at_once(database_url: str) -> None:
    backend = simulated(Script(), total_bytes=50 * MIB)
    with running(database_url, {"simulated": backend}) as here:
        policy = here.policy(overcommit=2.0)
        refused = refusals(here, 24, size_mb=10, bs_policy_id=policy)
        assert len(refused) == 14
        assert {error.code for error in refused} == {"overcommitted"}


def test_a_policy_without_thin_provisioning_promises_no_more_than_there_is(sqlite_url: str) -> None:
    backend = simulated(Script(), total_bytes=10 * MIB)
    with running(sqlite_url, {"simulated": backend}) as here:
        policy = here.policy(thin_provisioned=False)
        volume = here.volume(size_mb=6, bs_policy_id=policy)
        with pytest.raises(Conflict, match="6 of at most 10 MiB"):
            here.update(here.volumes, volume, size_mb=11)
        with pytest.raises(Conflict, match="6 of at most 10 MiB"):
            here.volume(size_mb=5, bs_policy_id=policy)
        here.update(here.volumes, volume, size_mb=10)


def test_growing_and_cloning_count_against_the_quota_too(here: Installation) -> None:
    project(here, 10)
    volume = here.volume(size_mb=4, access=MEMBER)
    snap = here.snapshot(volume, access=MEMBER)
    here.clone(snap, "first", access=MEMBER)
    with pytest.raises(Conflict, match="8 of 10 MiB"):
        here.ask_for_clone(snap, "second", access=MEMBER)
    with pytest.raises(Conflict, match="8 of 10 MiB"):
        here.update(here.volumes, volume, MEMBER, size_mb=7)
    here.update(here.volumes, volume, MEMBER, size_mb=6)
    here.volume("elsewhere", size_mb=1000, access=NEIGHBOUR)


def test_the_releases_are_there_and_refreshed_at_each_start(sqlite_url: str) -> None:
    with running(sqlite_url) as here:
        found = here.database.read(lambda tx: here.storage.os_releases.store.find(tx))
        assert len(found) == len(RELEASES) >= 25
        assert {each.state.state.value for each in found} == {"active"}
        store = here.storage.os_releases.store
        here.database.write(lambda tx: store.change_spec(tx, found[0].id, {"min_memory_mb": 1}))
    with running(sqlite_url) as here:
        again = here.database.read(lambda tx: here.storage.os_releases.store.find(tx))
        assert [each.id for each in again] == [each.id for each in found]
        assert again[0].spec.min_memory_mb == RELEASES[0].min_memory_mb


def test_a_volume_of_an_unknown_policy_is_refused(here: Installation, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"spec\.bs_policy_id: there is no bs_policy 99"):
        here.create(here.volumes, ADMIN, name="disk", size_mb=1, bs_policy_id=99)
