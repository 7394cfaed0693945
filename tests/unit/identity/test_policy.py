"""The role policy as a table: what its rows mean, and what it must never say."""

from dataclasses import replace

import pytest

from stratal.identity.policy import (
    ANYBODY,
    CLUSTER_ROLES,
    KINDS,
    OTHER,
    PROFILES,
    PROJECT_ROLES,
    RoleName,
    authorised,
    permissions,
    reach_of,
)
from stratal.kernel.access import SYSTEM, Access, Reach
from stratal.kernel.errors import Forbidden
from stratal.kernel.kind import Profile

READING = ("list", "show", "list-users", "list-projects", "show-ui-profile")


def caller(*roles: str) -> Access:
    return replace(SYSTEM, user_id=7, roles=frozenset(roles), reach=Reach.NONE)


def rows() -> list[tuple[str, str, dict[str, Reach]]]:
    tables = {**{profile.value: verbs for profile, verbs in PROFILES.items()}, **KINDS}
    return [(kind, verb, dict(row)) for kind, verbs in tables.items() for verb, row in verbs.items()]


def test_no_role_in_a_project_reaches_beyond_it() -> None:
    for kind, verb, row in rows():
        for role in PROJECT_ROLES:
            assert row.get(role, Reach.NONE) <= Reach.PROJECT, (kind, verb, role)


def test_anybody_changes_nothing_but_what_is_their_own() -> None:
    for kind, verb, row in rows():
        if verb not in READING:
            assert row.get(ANYBODY, Reach.NONE) <= Reach.SELF, (kind, verb)


def test_auditors_and_observers_change_nothing() -> None:
    for kind, verb, row in rows():
        if verb not in READING:
            assert RoleName.AUDITOR not in row, (kind, verb)
            assert RoleName.OBSERVER not in row, (kind, verb)


def test_every_row_names_roles_that_there_are() -> None:
    for kind, verb, row in rows():
        assert set(row) <= {*RoleName, ANYBODY}, (kind, verb)
        assert Reach.NONE not in row.values(), (kind, verb)


def test_every_role_is_held_either_as_such_or_in_a_project() -> None:
    assert set(CLUSTER_ROLES) | set(PROJECT_ROLES) == set(RoleName)
    assert not set(CLUSTER_ROLES) & set(PROJECT_ROLES)


@pytest.mark.parametrize("profile", list(Profile))
def test_a_system_administrator_does_everything_to_a_kind_that_the_table_does_not_name(
    profile: Profile,
) -> None:
    for verb in ("list", "show", "create", "delete", "some-new-action"):
        assert reach_of(caller(RoleName.SYSTEM_ADMIN), "new_kind", verb, profile) is Reach.ALL


@pytest.mark.parametrize("profile", list(Profile))
def test_a_new_action_is_for_whoever_may_change_the_kind(profile: Profile) -> None:
    for role in (*RoleName, ANYBODY):
        change = reach_of(caller(role), "new_kind", "update", profile)
        assert reach_of(caller(role), "new_kind", "some-new-action", profile) is change


def test_what_the_table_does_not_say_of_a_kind_that_it_names_nobody_may() -> None:
    for kind, verbs in KINDS.items():
        assert OTHER not in verbs
        with pytest.raises(Forbidden):
            authorised(caller(RoleName.SYSTEM_ADMIN), kind, "some-new-action", Profile.TENANT)


def test_a_kind_that_is_neither_named_nor_of_a_profile_is_for_nobody() -> None:
    assert reach_of(caller(*RoleName), "unheard_of", "show", None) is Reach.NONE


def test_a_caller_with_many_roles_has_the_widest_reach() -> None:
    both = caller(RoleName.PROJECT_MEMBER, RoleName.AUDITOR)
    assert authorised(both, "label_key", "show", Profile.TENANT).reach is Reach.ALL
    assert authorised(both, "label_key", "create", Profile.TENANT).reach is Reach.PROJECT


def test_a_name_that_only_looks_like_a_role_is_none() -> None:
    for role in ("System_Admin", "system_admin ", "admin", "", "*"):
        assert reach_of(caller(role), "data_center", "create", Profile.INFRASTRUCTURE) is Reach.NONE


def test_permissions_are_the_rows_that_name_the_role() -> None:
    assert "tenant:show" in permissions(RoleName.OBSERVER)
    assert "audit_log:list" in permissions(RoleName.SECURITY_ADMIN)
    assert not [each for each in permissions(RoleName.OBSERVER) if each.endswith((":create", ":*"))]
