import threading
from datetime import timedelta
from typing import Any

import pytest
from kernel_garden import opened, work_row

from stratal.kernel import work
from stratal.kernel.database import Database
from stratal.kernel.transaction import Transaction
from stratal.kernel.work import Lease, LeaseLost

MINUTE = timedelta(minutes=1)
ROOM = {"garden": 100, "plant": 100}


def _ask(database: Database, *ids: int, kind: str = "garden") -> None:
    for id in ids:
        database.write(lambda tx, id=id: work.ask(tx, kind, id))


def _claim(database: Database, owner: str = "here", most: int = 10, **options: Any) -> list[Lease]:
    options = {"lease": MINUTE, "room": ROOM, **options}
    return database.write(lambda tx: work.claim(tx, owner=owner, most=most, **options))


def _ids(leases: list[Lease]) -> list[int]:
    return [lease.id for lease in leases]


def test_a_claim_takes_the_longest_overdue_first(database: Database) -> None:
    _ask(database, 3, 1, 2)
    assert _ids(_claim(database, most=2)) == [3, 1]


def test_a_row_that_is_asked_for_again_keeps_its_place_in_the_queue(database: Database) -> None:
    _ask(database, 1, 2, 1)
    assert _ids(_claim(database, most=1)) == [1]


def test_a_claim_leaves_alone_what_is_not_due(database: Database) -> None:
    _ask(database, 1)
    [lease] = _claim(database)
    database.write(lambda tx: work.release(tx, lease, after=MINUTE))
    assert _claim(database) == []


def test_a_claim_leaves_alone_what_is_leased(database: Database) -> None:
    _ask(database, 1)
    _claim(database)
    assert _claim(database, owner="there") == []


def test_a_claim_takes_over_a_lease_that_ran_out(database: Database) -> None:
    _ask(database, 1)
    _claim(database, lease=-MINUTE)
    assert _ids(_claim(database, owner="there")) == [1]


def test_a_claim_takes_no_more_of_a_kind_than_there_is_room_for(database: Database) -> None:
    _ask(database, 1, 2, 3)
    assert _ids(_claim(database, room={"garden": 2})) == [1, 2]


def test_a_full_kind_does_not_hide_the_rows_of_others(database: Database) -> None:
    _ask(database, 1, 2, 3)
    _ask(database, 9, kind="plant")
    assert _ids(_claim(database, most=2, room={"garden": 1, "plant": 1})) == [1, 9]


def test_a_claim_takes_nothing_of_kinds_that_are_reconciled_elsewhere(database: Database) -> None:
    _ask(database, 1)
    assert _claim(database, room={"plant": 5}) == []


def test_a_claim_leaves_alone_what_the_claimer_is_still_busy_with(database: Database) -> None:
    _ask(database, 1, 2)
    _claim(database, lease=-MINUTE)
    assert _ids(_claim(database, held=[("garden", 1)])) == [2]


def test_two_claimers_at_once_share_the_rows_and_do_not_wait_for_each_other(
    on_postgres: Database, garden_url: str
) -> None:
    _ask(on_postgres, 1, 2, 3)

    def claim_while_another_one_claims(transaction: Transaction) -> tuple[list[Lease], list[Lease]]:
        first = work.claim(transaction, owner="here", lease=MINUTE, most=2, room=ROOM)
        second: list[Lease] = []
        other = threading.Thread(target=lambda: second.extend(_claim(elsewhere, owner="there")))
        other.start()
        other.join(5)
        return first, second

    with opened(garden_url) as elsewhere:
        first, second = on_postgres.write(claim_while_another_one_claims)
    assert (_ids(first), _ids(second)) == ([1, 2], [3])


def test_a_request_that_arrives_during_a_look_is_due_when_the_look_ends(database: Database) -> None:
    _ask(database, 1)
    [lease] = _claim(database)
    _ask(database, 1)
    database.write(lambda tx: work.release(tx, lease, after=None))
    assert _ids(_claim(database)) == [1]


def test_a_request_that_arrives_during_a_look_that_fails_does_not_wait_for_the_back_off(
    database: Database,
) -> None:
    _ask(database, 1)
    [lease] = _claim(database)
    _ask(database, 1)
    database.write(lambda tx: work.release(tx, lease, after=MINUTE, attempts=3))
    [again] = _claim(database)
    assert again.attempts == 0


def test_confirming_says_whether_something_new_was_asked(database: Database) -> None:
    _ask(database, 1)
    [lease] = _claim(database)
    before = database.write(lambda tx: work.confirm(tx, lease))
    _ask(database, 1)
    assert (before, database.write(lambda tx: work.confirm(tx, lease))) == (True, False)


def test_a_released_row_is_claimed_again_when_its_back_off_is_over(database: Database) -> None:
    _ask(database, 1)
    [lease] = _claim(database)
    database.write(
        lambda tx: work.release(tx, lease, after=-MINUTE, attempts=lease.attempts + 1, error="why")
    )
    [again] = _claim(database)
    assert (again.attempts, work_row(database, "garden", 1).error) == (1, "why")


@pytest.mark.parametrize("write", ["confirm", "release", "forget"])
def test_whoever_held_an_older_lease_writes_nothing_any_more(database: Database, write: str) -> None:
    _ask(database, 1)
    [old] = _claim(database, lease=-MINUTE)
    _claim(database, owner="here")  # the same owner: only the fence tells them apart
    calls = {
        "confirm": lambda tx: work.confirm(tx, old),
        "release": lambda tx: work.release(tx, old, after=None),
        "forget": lambda tx: work.forget(tx, old),
    }
    with pytest.raises(LeaseLost):
        database.write(calls[write])


def test_renewing_says_which_leases_have_moved_on(database: Database) -> None:
    _ask(database, 1, 2)
    old = _claim(database, lease=-MINUTE, most=1)[0]
    fresh = _claim(database, owner="there")
    lost = database.write(lambda tx: work.renew(tx, [*fresh[1:], old], MINUTE))
    assert lost == [old]


def test_a_renewed_lease_is_not_taken_over(database: Database) -> None:
    _ask(database, 1)
    leases = _claim(database, lease=-MINUTE)
    database.write(lambda tx: work.renew(tx, leases, MINUTE))
    assert _claim(database, owner="there") == []


def test_a_lease_that_is_put_back_can_be_claimed_at_once(database: Database) -> None:
    _ask(database, 1)
    leases = _claim(database)
    database.write(lambda tx: work.put_back(tx, leases))
    assert _ids(_claim(database, owner="there")) == [1]


def test_putting_back_a_lease_that_has_moved_on_leaves_the_new_one_alone(database: Database) -> None:
    _ask(database, 1)
    old = _claim(database, lease=-MINUTE)
    _claim(database, owner="there")
    database.write(lambda tx: work.put_back(tx, old))
    assert work_row(database, "garden", 1).owner == "there"


def test_the_rest_leaves_out_what_is_leased_or_held_or_of_other_kinds(database: Database) -> None:
    _ask(database, 1, 2)
    _ask(database, 3, kind="plant")
    _claim(database, most=1)
    assert database.read(lambda tx: work.rest(tx, ["garden"], [("garden", 2)])) is None


def test_the_rest_is_until_the_earliest_row_that_is_free(database: Database) -> None:
    _ask(database, 1, 2)
    for lease, after in zip(_claim(database), (2 * MINUTE, MINUTE), strict=True):
        database.write(lambda tx, lease=lease, after=after: work.release(tx, lease, after=after))
    rest = database.read(lambda tx: work.rest(tx, ["garden"]))
    assert rest is not None
    assert MINUTE / 2 < rest <= MINUTE


def test_the_leases_of_the_dead_are_freed_at_the_start(database: Database) -> None:
    _ask(database, 1)
    _claim(database)
    database.write(work.free_leases_of_the_dead)
    assert _ids(_claim(database, owner="there")) == [1]


def test_the_counts_tell_due_leased_and_idle_rows_apart(database: Database) -> None:
    _ask(database, 1, 2, 3)
    first, _ = _claim(database, most=2)
    database.write(lambda tx: work.release(tx, first, after=None))
    counts = database.read(work.count)
    assert (counts.due, counts.leased, counts.idle) == (1, 1, 1)


def test_the_oldest_due_time_is_that_of_the_longest_waiting_row(database: Database) -> None:
    _ask(database, 1, 2)
    assert database.read(work.count).oldest_due_at == work_row(database, "garden", 1).due_at


def test_asking_twice_in_one_transaction_is_asking_once(database: Database) -> None:
    def ask_twice(transaction: Transaction) -> None:
        work.ask(transaction, "garden", 1)
        work.ask(transaction, "garden", 1)

    database.write(ask_twice)
    assert work_row(database, "garden", 1).requested == 1


def test_leases_are_measured_by_the_clock_of_the_server_and_not_of_its_clients(
    on_postgres: Database, garden_url: str
) -> None:
    class Ahead:
        def now(self) -> Any:
            return on_postgres.clock.now() + timedelta(hours=1)

    _ask(on_postgres, 1)
    _claim(on_postgres)
    with opened(garden_url, clock=Ahead()) as elsewhere:
        assert _claim(elsewhere, owner="there") == []


def test_what_is_due_is_measured_by_the_clock_of_the_server_and_not_of_its_clients(
    on_postgres: Database, garden_url: str
) -> None:
    class Ahead:
        def now(self) -> Any:
            return on_postgres.clock.now() + timedelta(hours=1)

    with opened(garden_url, clock=Ahead()) as elsewhere:
        _ask(elsewhere, 1)
        [lease] = _claim(on_postgres)
        elsewhere.write(lambda tx: work.release(tx, lease, after=-MINUTE))
        [lease] = _claim(on_postgres)
        on_postgres.write(lambda tx: work.release(tx, lease, after=MINUTE))
        assert _claim(elsewhere) == []
