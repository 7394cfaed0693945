"""The passwords of consoles: taken in clear or encrypted, checked, and shown nowhere."""

import logging

import msgspec
import pytest
from sqlalchemy import select

from compute_installation import ComputeInstallation
from storage_installation import ADMIN
from stratal.compute import VerifyGraphicsPassword
from stratal.compute.virtual_machine.passwords import matches
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.journal import AUDIT_LOG, EVENT

SECRET = "s3cr3t!"


def verified(here: ComputeInstallation, id: int, **spec: str) -> bool:
    return here.compute.virtual_machines.verify_password(ADMIN, id, VerifyGraphicsPassword(**spec))


def test_a_password_is_verified_in_clear_and_encrypted(here: ComputeInstallation) -> None:
    machine = here.machine(graphics_password="sesame", graphics_auth_enabled=True)
    assert verified(here, machine.id, password="sesame")
    assert verified(here, machine.id, encrypted_password="cipher", rsa_key_id="key-1")
    assert not verified(here, machine.id, password="Sesame")
    assert not verified(here, machine.id, password="")
    assert not verified(here, machine.id, encrypted_password="broken", rsa_key_id="key-1")
    assert not verified(here, machine.id, encrypted_password="cipher", rsa_key_id="no key")
    with pytest.raises(Invalid, match="either a password"):
        verified(here, machine.id)


def test_nothing_matches_where_no_password_was_set(here: ComputeInstallation) -> None:
    machine = here.machine()
    for wrong in ("", "x", "password"):
        assert not verified(here, machine.id, password=wrong)
    assert not matches("", "")


def test_a_password_can_be_set_encrypted_and_changed(here: ComputeInstallation) -> None:
    machine = here.machine(
        encrypted_graphics_password="cipher", rsa_key_id="key-1", graphics_auth_enabled=True
    )
    assert verified(here, machine.id, password="sesame")
    here.update(here.machines, machine.id, graphics_password="other")
    assert verified(here, machine.id, password="other")
    assert not verified(here, machine.id, password="sesame")
    with pytest.raises(Invalid, match="is needed"):
        here.update(here.machines, machine.id, graphics_password="")


def test_consoles_ask_for_a_password_only_where_there_is_one(here: ComputeInstallation) -> None:
    machine = here.machine()
    with pytest.raises(Invalid, match="is needed"):
        here.update(here.machines, machine.id, graphics_auth_enabled=True)
    here.update(here.machines, machine.id, graphics_auth_enabled=True, graphics_password=SECRET)


def test_a_clone_asks_for_the_password_of_what_it_came_from(here: ComputeInstallation) -> None:
    machine = here.machine(graphics_password=SECRET, graphics_auth_enabled=True)
    copy = here.copy(vm_snap_id=here.moment(machine.id).id)
    assert copy.spec.graphics_auth_enabled
    assert verified(here, copy.id, password=SECRET)


def test_a_password_is_shown_nowhere(
    here: ComputeInstallation, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        machine = here.with_disks(
            1, graphics_password=SECRET, graphics_auth_enabled=True, power_state="running"
        )
        here.update(here.machines, machine.id, graphics_password=SECRET[::-1])
        here.power(machine.id, "stopped")
        moment = here.moment(machine.id)
        with pytest.raises(Invalid):
            here.update(here.machines, machine.id, graphics_password=SECRET * 2)
    body = here.compute.virtual_machines.create_body
    prepared = here.compute.virtual_machines.prepare_create(
        ADMIN, body(name="x", memory_mb=512, graphics_password=SECRET)
    )
    shown = [
        msgspec.json.encode([machine.spec, machine.status, moment.spec, moment.status]).decode(),
        repr(prepared),
        caplog.text,
        *capfd.readouterr(),
    ]
    for table in (AUDIT_LOG.table, EVENT.table):
        shown += [repr(row) for row in here.database.read(lambda tx, t=table: tx.execute(select(t)).all())]
    for text in shown:
        assert SECRET not in text
        assert SECRET[::-1] not in text


def test_a_deleted_machine_changes_no_more(here: ComputeInstallation) -> None:
    machine = here.machine()
    here.stop_engine()
    here.delete(here.machines, machine.id)
    with pytest.raises(Conflict, match="is being deleted"):
        here.act(here.machines, machine.id, "start")
    with pytest.raises(Conflict, match="is being deleted"):
        here.create(here.moments, name="late", vm_id=machine.id)
