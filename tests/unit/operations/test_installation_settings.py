"""The settings that administrators change while the installation runs."""

import msgspec
import pytest
from operations_installation import ADMIN, Installation
from sqlalchemy import select

from stratal.kernel.journal import AuditLog, AuditStatus
from stratal.kernel.listing import ListRequest
from stratal.operations import Operations, Settings, SettingsUpdate
from stratal.operations.settings.model import SETTING


def update(installation: Installation, **settings: object) -> Settings:
    body = SettingsUpdate(**settings)
    service = installation.operations.settings
    return installation.database.write(lambda tx: service.update(tx, ADMIN, body)).settings


def current(installation: Installation) -> Settings:
    return installation.database.read(installation.operations.settings.current)


def audits(installation: Installation) -> list[AuditLog]:
    service, request = installation.operations.audit_logs, ListRequest(q="resource_type:settings")
    return installation.database.read(lambda tx: service.page(tx, ADMIN, request)).items


def test_all_settings_have_a_value_before_anybody_set_one(installation: Installation) -> None:
    shown = installation.database.read(installation.operations.settings.show)
    assert set(msgspec.to_builtins(shown)["settings"]) == set(Settings.__struct_fields__)
    assert shown.settings == Settings()


def test_every_default_keeps_to_its_own_bounds() -> None:
    assert msgspec.convert(msgspec.to_builtins(Settings()), Settings) == Settings()


def test_a_patch_changes_what_it_names_and_leaves_the_rest(installation: Installation) -> None:
    update(installation, session_timeout=600, ntp_servers=["ntp1.example", "2001:db8::1"])
    after = update(installation, ha_enabled=False)
    assert after == current(installation)
    assert (after.session_timeout, after.ha_enabled) == (600, False)
    assert after.ntp_servers == ["ntp1.example", "2001:db8::1"]
    assert after.overcommit_cpu == Settings().overcommit_cpu


def test_a_setting_can_be_set_again(installation: Installation) -> None:
    update(installation, overcommit_cpu=2.5)
    assert update(installation, overcommit_cpu=3.0).overcommit_cpu == 3.0


def test_a_list_can_be_emptied(installation: Installation) -> None:
    update(installation, ntp_servers=["ntp1.example"])
    assert update(installation, ntp_servers=[]).ntp_servers == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"overcommit_cpu": 0.5}, r"\$\.overcommit_cpu"),
        ({"overcommit_memory": "2"}, r"\$\.overcommit_memory"),
        ({"ha_enabled": 1}, r"\$\.ha_enabled"),
        ({"session_timeout": 1}, r"\$\.session_timeout"),
        ({"session_timeout": None}, r"\$\.session_timeout"),
        ({"event_reserved_days": 0}, r"\$\.event_reserved_days"),
        ({"ntp_servers": ["a b"]}, r"\$\.ntp_servers\[0\]"),
        ({"ntp_servers": ["host\n"]}, r"\$\.ntp_servers\[0\]"),
        ({"ntp_servers": "host"}, r"\$\.ntp_servers"),
        ({"cluster_name": ""}, r"\$\.cluster_name"),
        ({"colour": "red"}, "unknown field `colour`"),
    ],
)
def test_a_value_out_of_its_bounds_and_a_setting_that_does_not_exist_are_refused(
    body: dict[str, object], path: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=path):
        msgspec.convert(body, SettingsUpdate)


def test_a_whole_number_is_a_ratio_too(installation: Installation) -> None:
    body = msgspec.json.decode(b'{"overcommit_cpu": 2}', type=SettingsUpdate)
    installation.database.write(lambda tx: installation.operations.settings.update(tx, ADMIN, body))
    assert current(installation).overcommit_cpu == 2.0


def test_a_change_is_audited_with_what_was_and_what_is(installation: Installation) -> None:
    update(installation, session_timeout=600, ha_enabled=True)
    [record] = audits(installation)
    assert (record.action, record.status) == ("update", AuditStatus.SUCCEEDED)
    assert record.finished_at == record.started_at
    assert record.old_data == {"session_timeout": Settings().session_timeout}
    assert record.new_data == {"session_timeout": 600}


def test_only_what_was_changed_is_stored(installation: Installation) -> None:
    update(installation, session_timeout=600, ha_enabled=True)
    stored = installation.database.read(lambda tx: tx.execute(select(SETTING.c.key, SETTING.c.value)).all())
    assert [tuple(row) for row in stored] == [("session_timeout", 600)]


def test_a_setting_that_only_an_older_version_knew_does_no_harm(
    installation: Installation, operations: Operations
) -> None:
    installation.database.write(
        lambda tx: tx.execute(SETTING.insert(), {"key": "forgotten", "value": 1, "updated_at": tx.now})
    )
    assert current(installation) == Settings()
    update(installation, ha_enabled=False)
    assert not current(installation).ha_enabled
