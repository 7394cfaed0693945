"""One verifier for a password and its SHA-512, and no telling a wrong name from a wrong password."""

import hashlib
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError

from stratal.identity.passwords import Verifiers, generate_password, password_problem
from stratal.kernel.errors import Invalid

PASSWORD = "correct horse, 正确的马"


@pytest.fixture(scope="module")
def verifiers() -> Verifiers:
    return Verifiers(time_cost=1, memory_cost_kib=64, parallelism=1)


def sha512_hex(password: str) -> str:
    return hashlib.sha512(password.encode()).hexdigest()


def test_a_verifier_is_salted_argon2id_of_the_lower_case_sha512(verifiers: Verifiers) -> None:
    verifier = verifiers.of_clear(PASSWORD)
    assert verifier.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert PasswordHasher().verify(verifier, sha512_hex(PASSWORD))
    assert verifiers.of_clear(PASSWORD) != verifier


def test_the_right_password_and_its_sha512_match_whichever_of_them_made_the_verifier(
    verifiers: Verifiers,
) -> None:
    for verifier in (verifiers.of_clear(PASSWORD), verifiers.of_sha512_hex(sha512_hex(PASSWORD))):
        assert verifiers.matches_clear(verifier, PASSWORD)
        assert verifiers.matches_sha512_hex(verifier, sha512_hex(PASSWORD))


def test_the_sha512_is_taken_in_either_case(verifiers: Verifiers) -> None:
    verifier = verifiers.of_sha512_hex(sha512_hex(PASSWORD).upper())
    assert verifiers.matches_clear(verifier, PASSWORD)
    assert verifiers.matches_sha512_hex(verifier, sha512_hex(PASSWORD).upper())


def test_a_wrong_password_does_not_match(verifiers: Verifiers) -> None:
    verifier = verifiers.of_clear(PASSWORD)
    assert not verifiers.matches_clear(verifier, PASSWORD.upper())
    assert not verifiers.matches_clear(verifier, "")
    assert not verifiers.matches_sha512_hex(verifier, sha512_hex("other"))


def test_the_sha512_does_not_pass_for_the_clear_password(verifiers: Verifiers) -> None:
    assert not verifiers.matches_clear(verifiers.of_clear(PASSWORD), sha512_hex(PASSWORD))


@pytest.mark.parametrize(
    "malformed", ["", "ab", "g" * 128, "a" * 127, "a" * 129, "a" * 128 + "\n", "１" * 128]
)
def test_a_malformed_sha512_matches_nothing_and_makes_no_verifier(
    verifiers: Verifiers, malformed: str
) -> None:
    assert verifiers.matches_sha512_hex(verifiers.of_clear(PASSWORD), malformed) is False
    assert verifiers.matches_sha512_hex(None, malformed) is False
    with pytest.raises(Invalid):
        verifiers.of_sha512_hex(malformed)


def test_text_that_is_no_unicode_matches_nothing(verifiers: Verifiers) -> None:
    assert verifiers.matches_clear(verifiers.of_clear(PASSWORD), "\ud800") is False


def test_an_unknown_user_never_matches_whatever_the_password(verifiers: Verifiers) -> None:
    assert verifiers.matches_clear(None, PASSWORD) is False
    assert verifiers.matches_clear(None, "") is False
    assert verifiers.matches_sha512_hex(None, sha512_hex("")) is False


def test_an_unknown_user_costs_as_much_time_as_a_wrong_password() -> None:
    slow = Verifiers(time_cost=3, memory_cost_kib=16384, parallelism=1)
    verifier = slow.of_clear(PASSWORD)

    def median_seconds(known: str | None) -> float:
        times: list[float] = []
        for _ in range(7):
            start = time.perf_counter()
            slow.matches_clear(known, "wrong")
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    # Without the work the ratio is below a thousandth; the margin is for a busy machine.
    assert median_seconds(None) > median_seconds(verifier) / 4


def test_a_damaged_verifier_is_a_defect_and_no_wrong_password(verifiers: Verifiers) -> None:
    with pytest.raises(InvalidHashError):
        verifiers.matches_clear("not a verifier", PASSWORD)


def test_a_verifier_of_another_cost_still_matches_and_asks_to_be_made_anew(verifiers: Verifiers) -> None:
    verifier = verifiers.of_clear(PASSWORD)
    dearer = Verifiers(time_cost=2, memory_cost_kib=64, parallelism=1)
    assert dearer.matches_clear(verifier, PASSWORD)
    assert dearer.needs_rehash(verifier)
    assert not verifiers.needs_rehash(verifier)


def test_at_most_two_passwords_are_hashed_at_the_same_time(
    verifiers: Verifiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = verifiers.of_clear(PASSWORD)
    lock, running, most = threading.Lock(), [0], [0]
    real_verify = PasswordHasher.verify

    def watched(self: PasswordHasher, *arguments: str) -> bool:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        try:
            time.sleep(0.02)
            return real_verify(self, *arguments)
        finally:
            with lock:
                running[0] -= 1

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: verifiers.matches_clear(verifier, PASSWORD), range(16)))
    assert all(results)
    assert most[0] == 2


def test_a_failed_match_frees_its_place(verifiers: Verifiers) -> None:
    verifier = verifiers.of_clear(PASSWORD)
    with ThreadPoolExecutor(1) as threads:
        for wrong in range(5):
            assert not threads.submit(verifiers.matches_clear, verifier, str(wrong)).result(timeout=30)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short77", "at least 8"),
        ("x" * 1025, "at most 1024"),
        ("eight\0letters", "NUL"),
        ("eight\ud800letters", "Unicode"),
        ("Administrator", "user's name"),
    ],
)
def test_a_password_against_the_policy_is_refused_with_the_reason(password: str, words: str) -> None:
    assert words in (password_problem(password, 8, "administrator") or "")


@pytest.mark.parametrize("password", ["eight888", "x" * 1024, "密码密码密码密码", "administrator2"])
def test_a_password_within_the_policy_is_accepted(password: str) -> None:
    assert password_problem(password, 8, "administrator") is None


class _FixedEntropy:
    def uuid(self) -> str:
        raise NotImplementedError

    def etag(self) -> str:
        raise NotImplementedError

    def token(self) -> str:
        return "0123456789abcdef0123456789abcdef"


def test_a_generated_password_is_readable_strong_and_within_the_policy() -> None:
    password = generate_password()
    groups = password.split("-")
    assert [len(group) for group in groups] == [5, 5, 5, 5]
    assert not set("ilo01") & set(password)
    assert password_problem(password, 8, "admin") is None
    assert len({generate_password() for _ in range(1000)}) == 1000


def test_a_generated_password_follows_the_given_entropy() -> None:
    assert generate_password(_FixedEntropy()) == generate_password(_FixedEntropy())
