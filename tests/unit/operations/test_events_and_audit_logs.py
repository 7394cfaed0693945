"""Who sees which events and audit logs, and how long these are kept."""

from dataclasses import replace
from datetime import timedelta

import pytest
from operations_installation import ADMIN, MEMBER, NEIGHBOUR, Installation

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import NotFound
from stratal.kernel.journal import EVENT, record_event
from stratal.kernel.listing import ListRequest
from stratal.kernel.transaction import Transaction
from stratal.operations import Operations, SettingsUpdate
from waiting import eventually


def events(installation: Installation, access: Access, q: str | None = None) -> list[str]:
    service, request = installation.operations.events, ListRequest(q=q, limit="100", sort="id:asc")
    page = installation.database.read(lambda tx: service.page(tx, access, request))
    assert page.total_count == len(page.items)
    return [item.event for item in page.items]


def happen(installation: Installation, event: str, project_id: int | None) -> None:
    installation.database.write(
        lambda tx: record_event(tx, event, message="it happened", project_id=project_id)
    )


def test_a_project_sees_its_own_events_and_full_reach_sees_all(installation: Installation) -> None:
    for event, project_id in (("mine", 1), ("theirs", 2), ("everybodys", None)):
        happen(installation, event, project_id)
    assert events(installation, MEMBER) == ["mine"]
    assert events(installation, NEIGHBOUR) == ["theirs"]
    assert events(installation, ADMIN) == ["mine", "theirs", "everybodys"]


@pytest.mark.parametrize(
    "access",
    [
        replace(MEMBER, project_id=None),
        replace(MEMBER, reach=Reach.SELF),
        replace(MEMBER, reach=Reach.NONE),
    ],
)
def test_without_a_project_or_a_grant_for_it_there_is_nothing_to_see(
    installation: Installation, access: Access
) -> None:
    happen(installation, "mine", 1)
    happen(installation, "everybodys", None)
    assert events(installation, access) == []


def test_an_event_beyond_reach_is_not_found(installation: Installation) -> None:
    happen(installation, "theirs", 2)
    show = installation.operations.events.show
    assert installation.database.read(lambda tx: show(tx, NEIGHBOUR, 1)).event == "theirs"
    with pytest.raises(NotFound):
        installation.database.read(lambda tx: show(tx, MEMBER, 1))


def test_events_are_filtered_by_their_fields(installation: Installation) -> None:
    for event in ("first", "second", "third"):
        happen(installation, event, 1)
    assert events(installation, MEMBER, "event:(first third) AND level:info") == ["first", "third"]


def test_the_life_of_a_resource_leaves_events_and_audit_logs_in_its_project(
    installation: Installation, operations: Operations
) -> None:
    key = installation.create(operations.label_keys, MEMBER, name="tier")
    eventually(lambda: events(installation, MEMBER) == ["label_key_created"])
    installation.delete(operations.label_keys, key.id, MEMBER)
    eventually(lambda: events(installation, MEMBER) == ["label_key_created", "label_key_deleted"])
    request = ListRequest(sort="id:asc")
    logs = installation.database.read(lambda tx: operations.audit_logs.page(tx, MEMBER, request)).items
    assert [(log.action, log.resource_name, log.status) for log in logs] == [
        ("create", "tier", "succeeded"),
        ("delete", "tier", "succeeded"),
    ]
    others = installation.database.read(lambda tx: operations.audit_logs.page(tx, NEIGHBOUR, request))
    assert others.total_count == 0


def test_what_is_older_than_the_settings_say_is_removed_in_batches(
    installation: Installation, operations: Operations
) -> None:
    def long_ago(tx: Transaction) -> None:
        old = {"event": "old", "level": "info", "message": "", "created_at": tx.now}
        tx.execute(EVENT.table.insert(), [old] * 2500)

    installation.clock.offset = timedelta(days=-40)
    installation.database.write(long_ago)
    installation.clock.offset = timedelta()
    happen(installation, "new", None)
    body = SettingsUpdate(event_reserved_days=30)
    installation.database.write(lambda tx: operations.settings.update(tx, ADMIN, body))

    pruned = operations.retention.prune(installation.database)
    assert (pruned.events, pruned.audit_logs) == (2500, 0)
    assert events(installation, ADMIN) == ["new"]
    assert operations.retention.prune(installation.database).events == 0


def test_audit_logs_are_kept_for_a_time_of_their_own(
    installation: Installation, operations: Operations
) -> None:
    installation.clock.offset = timedelta(days=-100)
    body = SettingsUpdate(ntp_servers=["192.0.2.5"])
    installation.database.write(lambda tx: operations.settings.update(tx, ADMIN, body))
    installation.clock.offset = timedelta()
    assert operations.retention.prune(installation.database).audit_logs == 0
    shorter = SettingsUpdate(audit_log_reserved_days=99)
    installation.database.write(lambda tx: operations.settings.update(tx, ADMIN, shorter))
    assert operations.retention.prune(installation.database).audit_logs == 1
