"""Lending volumes to guests: what they open, what they are to go on in, and whose loan it is."""

from collections.abc import Iterator

import pytest

from storage_installation import Installation, eventually, running
from stratal.kernel.errors import NotFound
from stratal.kernel.reconcile import Look
from stratal.kernel.work import Lease
from stratal.storage import Lender, Name, NameKind, NotReady

GUEST, OTHER = ("virtual_machine", 1), ("virtual_machine", 2)


@pytest.fixture
def here(sqlite_url: str) -> Iterator[Installation]:
    with running(sqlite_url) as installation:
        yield installation


@pytest.fixture
def lender(here: Installation) -> Lender:
    return here.storage.lender


def look(here: Installation, volume_id: int) -> Look:
    """That of a reconciler which has the lease of nothing: it reads."""
    return Look(
        here.database, Lease(kind="bs_volume", id=volume_id, owner="test", fence=1, attempts=0, requested=1)
    )


def test_a_guest_opens_a_volume_with_all_that_it_hangs_on_and_all_of_it_is_lent(
    here: Installation, lender: Lender
) -> None:
    volume = here.volume()
    snap = here.snapshot(volume)
    locations = lender.lend(look(here, volume), volume, GUEST)
    head, kept = here.layer_of(here.volumes, volume), here.layer_of(here.snaps, snap)
    driver = here.driver()
    assert [driver.layer_at(each.address) for each in locations][:1] == [head]
    assert here.storage.lent.layers() == {head, kept}
    found = here.storage.lent.of(volume)
    assert found is not None
    assert (found.keeper, found.top) == (GUEST, head)


def test_a_volume_that_is_not_there_yet_can_wait_and_one_that_is_not_there_cannot(
    here: Installation, lender: Lender
) -> None:
    here.stop_engine()
    made = here.create(here.volumes, name="late", size_mb=1, bs_policy_id=here.default_policy)
    with pytest.raises(NotReady, match="being made"):
        lender.lend(look(here, made.id), made.id, GUEST)
    with pytest.raises(NotFound):
        lender.lend(look(here, 10**6), 10**6, GUEST)
    with pytest.raises(NotFound):
        lender.show(look(here, 1), Name(kind=NameKind.IMAGE, id="1000000"))
    assert here.storage.lent.layers() == frozenset()


def test_a_guest_is_where_it_should_be_until_a_snapshot_is_taken_under_it(
    here: Installation, lender: Lender
) -> None:
    volume = here.volume()
    at = look(here, volume)
    [top, *_] = lender.lend(at, volume, GUEST)
    assert lender.due(at, volume, top.address) is None
    snap = here.create(here.snaps, name="moment", bs_volume_id=volume)
    overlay = eventually(lambda: lender.due(at, volume, top.address))
    assert overlay.bs_snap_ids == {snap.id}
    assert overlay.parent == here.driver().layer_at(top.address)
    assert overlay.layer == here.layer_of(here.volumes, volume)


def test_a_loan_is_given_back_by_its_keeper_alone(here: Installation, lender: Lender) -> None:
    volume = here.volume()
    at = look(here, volume)
    lender.lend(at, volume, GUEST)
    lender.give_back(at, volume, OTHER)
    assert here.storage.lent.of(volume) is not None
    here.database.write(lambda tx: lender.assume(tx, volume, OTHER))
    lender.give_back(at, volume, GUEST)
    found = here.storage.lent.of(volume)
    assert found is not None
    assert (found.keeper, found.top) == (OTHER, None)
