"""Logins of one user that are all being verified at the same moment, on both databases."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from identity_installation import LIMITS, PASSWORD, Installation, installed
from sqlalchemy import select

from stratal.identity.credentials import Credentials, PasswordBody
from stratal.identity.tables import LOGIN_RECORD
from stratal.identity.user.model import AllowLogin
from stratal.kernel.access import SYSTEM
from stratal.kernel.errors import Unauthenticated
from stratal.kernel.journal import EVENT

TOGETHER = 8


@pytest.fixture
def world(database_url: str) -> Iterator[Installation]:
    with installed(database_url) as made:
        made.user("user")
        yield made


def while_verifying(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Have something happen between the look at the user and the outcome of the login."""
    verify = Credentials.matches

    def matches(self: Credentials, verifier: str | None, body: PasswordBody) -> bool:
        right = verify(self, verifier, body)
        happens()
        return right

    monkeypatch.setattr(Credentials, "matches", matches)


def attempt(world: Installation, password: str) -> bool:
    try:
        world.log_in("user", password)
    except Unauthenticated:
        return False
    return True


def failures(world: Installation) -> int:
    return world.database.read(lambda tx: tx.execute(select(LOGIN_RECORD.c.failure_num)).scalar_one())


def test_wrong_guesses_that_are_verified_together_count_up_to_the_limit_and_lock_out_once(
    world: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    while_verifying(monkeypatch, threading.Barrier(TOGETHER).wait)
    with ThreadPoolExecutor(TOGETHER) as pool:
        assert not any(pool.map(lambda number: attempt(world, f"guess {number}"), range(TOGETHER)))
    assert failures(world) == LIMITS.max_failures
    found = world.database.read(
        lambda tx: tx.execute(select(EVENT.table.c.id).where(EVENT.table.c.event == "user_locked_out")).all()
    )
    assert len(found) == 1


def test_a_right_guess_among_too_many_wrong_ones_does_not_get_in_after_them(
    world: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guess_wrongly_elsewhere() -> None:
        monkeypatch.undo()
        assert not any(attempt(world, "wrong") for _ in range(LIMITS.max_failures))

    while_verifying(monkeypatch, guess_wrongly_elsewhere)
    assert not attempt(world, PASSWORD)


@pytest.mark.parametrize("password", [PASSWORD, "wrong"], ids=["right", "wrong"])
def test_a_lock_that_an_administrator_sets_while_a_login_is_verified_holds_for_ever(
    world: Installation, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    users = world.identity.users

    def lock_out() -> None:
        monkeypatch.undo()
        found = world.database.read(lambda tx: users.store.find(tx, users.columns.name == "user"))
        world.database.write(lambda tx: users.allow_login(tx, SYSTEM, found[0].id, AllowLogin(allowed=False)))

    while_verifying(monkeypatch, lock_out)
    assert not attempt(world, password)
    world.clock.forward(days=1)
    assert not attempt(world, PASSWORD)


def test_a_password_that_is_changed_while_the_old_one_is_verified_is_not_the_old_one(
    world: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reset() -> None:
        monkeypatch.undo()
        world.identity.bootstrap.reset_password("user")

    while_verifying(monkeypatch, reset)
    assert not attempt(world, PASSWORD)


def test_many_right_logins_at_once_all_get_in(world: Installation) -> None:
    with ThreadPoolExecutor(TOGETHER) as pool:
        sessions = list(pool.map(lambda _: world.log_in("user"), range(TOGETHER * 2)))
    assert len({session.uuid for session in sessions}) == TOGETHER * 2
    assert failures(world) == 0
