"""Logins and tokens as time goes by."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from identity_installation import (
    LIMITS,
    PASSWORD,
    Installation,
    cheap_verifiers,
    installation,
    installed,
)
from sqlalchemy import select

from stratal.identity.rsa_key.service import LIFETIME
from stratal.identity.tables import LOGIN_RECORD, RSA_KEY, TOKEN
from stratal.identity.user.model import USER
from stratal.kernel.errors import Unauthenticated

AN_INSTANT = {"microseconds": 1}


@pytest.fixture
def world(sqlite_url: str) -> Iterator[Installation]:
    with installed(sqlite_url) as made:
        made.user("user")
        yield made


def fail(world: Installation, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Unauthenticated):
            world.log_in("user", "wrong")


def test_a_token_is_good_until_the_instant_at_which_it_expires(world: Installation) -> None:
    session = world.log_in("user")
    assert session.expires == world.clock.now() + LIMITS.session
    world.clock.time = session.expires - timedelta(**AN_INSTANT)
    assert world.authenticate(session.uuid).user_name == "user"
    world.clock.forward(**AN_INSTANT)
    with pytest.raises(Unauthenticated):
        world.authenticate(session.uuid)


def test_expired_tokens_are_forgotten_and_no_others(world: Installation) -> None:
    world.log_in("user")
    world.clock.forward(hours=1)
    second = world.log_in("user")
    world.clock.time = second.expires - timedelta(minutes=30)
    assert world.database.write(world.identity.tokens.forget_expired) == 1
    assert world.authenticate(second.uuid)
    world.clock.time = second.expires
    assert world.database.write(world.identity.tokens.forget_expired) == 1
    assert world.database.read(lambda tx: tx.execute(select(TOKEN)).all()) == []


def test_a_token_in_the_database_is_not_the_token(world: Installation) -> None:
    session = world.log_in("user")
    [row] = world.database.read(lambda tx: tx.execute(select(TOKEN)).all())
    assert session.uuid not in [f"{value}" for value in row]
    with pytest.raises(Unauthenticated):
        world.authenticate(row.digest)


def test_tokens_do_not_repeat(world: Installation) -> None:
    assert len({world.log_in("user").uuid for _ in range(20)}) == 20


def test_a_lock_out_is_over_at_the_instant_that_was_said(world: Installation) -> None:
    fail(world, LIMITS.max_failures)
    world.clock.forward(seconds=LIMITS.lockout.total_seconds())
    world.clock.forward(microseconds=-1)
    with pytest.raises(Unauthenticated):
        world.log_in("user")
    world.clock.forward(**AN_INSTANT)
    assert world.log_in("user")


def test_a_try_during_a_lock_out_makes_it_no_longer(world: Installation) -> None:
    fail(world, LIMITS.max_failures)
    world.clock.forward(minutes=10)
    fail(world, 5)
    world.clock.forward(minutes=5)
    assert world.log_in("user")


def test_one_more_failure_after_a_lock_out_is_one_too_many(world: Installation) -> None:
    fail(world, LIMITS.max_failures)
    world.clock.forward(minutes=15)
    fail(world, 1)
    with pytest.raises(Unauthenticated):
        world.log_in("user")
    world.clock.forward(minutes=15)
    assert world.log_in("user")
    fail(world, LIMITS.max_failures - 1)
    assert world.log_in("user"), "a login begins the count anew"


def test_failures_of_one_user_are_not_those_of_another(world: Installation) -> None:
    world.user("other")
    fail(world, LIMITS.max_failures)
    assert world.log_in("other")


def test_names_that_nobody_has_are_not_counted(world: Installation) -> None:
    for number in range(5):
        with pytest.raises(Unauthenticated):
            world.log_in(f"nobody {number}", "x")
    assert world.database.read(lambda tx: tx.execute(select(LOGIN_RECORD)).all()) == []


def test_a_login_renews_a_verifier_that_was_made_at_another_cost(sqlite_url: str) -> None:
    def verifier(world: Installation, id: int) -> str:
        spec = USER.tables.spec
        return world.database.read(
            lambda tx: tx.execute(select(spec.c.password_verifier).where(spec.c.id == id)).scalar_one()
        )

    with installed(sqlite_url) as old:
        id = old.user("user")
        before = verifier(old, id)
        new = installation(old.database, old.clock, cheap_verifiers(time_cost=2))
        fail(new, 1)
        assert verifier(new, id) == before, "a wrong password renews nothing"
        new.log_in("user")
        after = verifier(new, id)
        assert after != before
        assert ",t=2," in after.replace("$", ",")
        new.log_in("user", PASSWORD)
        assert verifier(new, id) == after


def test_a_key_is_handed_out_for_half_its_life_and_good_for_all_of_it(world: Installation) -> None:
    keys = world.identity.rsa_keys
    first = keys.mint()
    assert first.expiration == world.clock.now() + LIFETIME
    world.clock.time = first.expiration - LIFETIME / 2 - timedelta(**AN_INSTANT)
    assert keys.mint() == first
    world.clock.forward(**AN_INSTANT)
    second = keys.mint()
    assert second.id != first.id
    assert second.public_key != first.public_key


def test_keys_that_have_expired_are_forgotten(world: Installation) -> None:
    keys = world.identity.rsa_keys
    first = keys.mint()
    world.clock.time = first.expiration
    keys.mint()
    ids = world.database.read(lambda tx: tx.execute(select(RSA_KEY.c.id)).scalars().all())
    assert first.id not in ids
    assert len(ids) == 1


def test_the_first_start_makes_an_administrator_once(sqlite_url: str) -> None:
    with installed(sqlite_url) as world:
        assert world.identity.bootstrap.prepare() is None
        names = world.database.read(lambda tx: tx.execute(select(USER.tables.spec.c.name)).scalars().all())
        assert names == ["admin"]
        password = world.identity.bootstrap.reset_password("admin")
        assert world.log_in("admin", password).roles == ["project_admin", "system_admin"]


def test_a_reset_of_a_password_lets_in_whoever_was_out_and_out_whoever_was_in(world: Installation) -> None:
    session = world.log_in("user")
    fail(world, LIMITS.max_failures)
    password = world.identity.bootstrap.reset_password("user")
    with pytest.raises(Unauthenticated):
        world.authenticate(session.uuid)
    with pytest.raises(Unauthenticated):
        world.log_in("user", PASSWORD)
    assert world.log_in("user", password)
