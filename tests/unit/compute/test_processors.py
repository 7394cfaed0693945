"""What processor a guest sees: a mode, and for one of them a model."""

import msgspec
import pytest

from compute_installation import ComputeInstallation
from storage_installation import eventually
from stratal.compute.domain import CpuMode
from stratal.compute.virtual_machine.processor import complete
from stratal.kernel.errors import Invalid


def test_a_mode_without_a_model_has_none() -> None:
    for mode in (CpuMode.HOST_MODEL, CpuMode.HOST_PASSTHROUGH):
        assert complete({"cpu_mode": mode}) == {"cpu_mode": mode, "cpu_model": None}


def test_the_mode_custom_needs_a_model_and_no_other_mode_takes_one() -> None:
    for wrong in (
        {"cpu_mode": CpuMode.CUSTOM},
        {"cpu_mode": CpuMode.CUSTOM, "cpu_model": None},
        {"cpu_mode": CpuMode.HOST_MODEL, "cpu_model": "Nehalem"},
    ):
        with pytest.raises(Invalid) as refused:
            complete(wrong)
        assert refused.value.fields["field"] == "spec.cpu_model"


def test_a_model_goes_with_its_mode_and_changes_within_it() -> None:
    before = {"cpu_mode": CpuMode.CUSTOM, "cpu_model": "Nehalem"}
    assert complete({"cpu_model": "EPYC"}, before) == {"cpu_mode": CpuMode.CUSTOM, "cpu_model": "EPYC"}
    assert complete({"cpu_mode": CpuMode.CUSTOM}, before) == before
    assert complete({"cpu_mode": CpuMode.HOST_MODEL}, before)["cpu_model"] is None
    with pytest.raises(Invalid, match="is needed"):
        complete({"cpu_model": None}, before)


def test_a_model_is_taken_by_the_next_boot_and_kept_by_snapshots_and_clones(
    here: ComputeInstallation,
) -> None:
    machine = here.machine(power_state="running", cpu_mode="custom", cpu_model="Nehalem")
    assert (machine.status.cpu_mode, machine.status.cpu_model) == ("custom", "Nehalem")
    moment = here.moment(machine.id)
    here.update(here.machines, machine.id, cpu_model="Haswell")
    differing = eventually(lambda: here.show(here.machines, machine.id).state.diff_fields.irreconcilable)
    assert differing == ["cpu_model"]
    assert here.show(here.machines, machine.id).status.cpu_model == "Nehalem"
    here.power(machine.id, "stopped")
    assert here.active(here.machines, machine.id).status.cpu_model == "Haswell"
    assert here.copy(vm_snap_id=moment.id).spec.cpu_model == "Nehalem"
    assert here.copy(name="other", vm_id=machine.id).spec.cpu_model == "Haswell"
    here.act(here.machines, machine.id, "rollback", vm_snap_id=moment.id)
    assert here.show(here.machines, machine.id).spec.cpu_model == "Nehalem"


def test_a_model_by_a_name_that_none_can_have_is_refused(here: ComputeInstallation) -> None:
    body = here.compute.virtual_machines.create_body
    for wrong in ("", "Nehalem,+vmx", "<model>", "a" * 65, "EPYC\n", "-x"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"name": "x", "memory_mb": 512, "cpu_mode": "custom", "cpu_model": wrong}, body)
