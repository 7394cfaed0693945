"""What a hypervisor is told of a machine, from what is wanted of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wanted_machines import FACTS, MACHINE, NOW, chain, disk, drive, nic, wanted

from stratal.compute.domain import CpuMode, Firmware, Limits, MachineDefinition, NicModel, rules
from stratal.compute.guests import defining
from stratal.compute.guests.wanted import Wanted
from stratal.network import Port

PLACES = defining.Places(state=Path("/state"), console_address="192.0.2.1", channels=("org.example.0",))


def defined(machine: Wanted, **given: Any) -> MachineDefinition:
    """Its definition, for which everything is there."""
    definition = defining.definition(
        machine,
        **{
            "chains": {each.id: chain(f"disk-{each.id}") for each in machine.disks},
            "media": {each.id: () for each in machine.cd_roms},
            "ports": {each.id: Port(tap=f"tap{each.id}", mtu=1450, bridge_id=None) for each in machine.nics},
            "places": PLACES,
            **given,
        },
    )
    rules.check(definition)
    return definition


def test_a_machine_is_defined_as_it_is_wanted() -> None:
    definition = defined(
        wanted(
            socket_num=2,
            core_num_per_socket=3,
            thread_num_per_core=2,
            memory_mb=768,
            bios=Firmware.UEFI,
            cpu_mode=CpuMode.CUSTOM,
            cpu_model="Nehalem",
            time_zone="Europe/Vienna",
            graphics_spice_enabled=True,
        )
    )
    assert (definition.machine, definition.name, definition.memory_bytes) == (MACHINE, "web", 768 * 2**20)
    assert definition.cpu.count == 12
    assert (definition.cpu_mode, definition.cpu_model) == (CpuMode.CUSTOM, "Nehalem")
    assert definition.nvram == Path("/state", f"{MACHINE}.nvram")
    assert definition.clock == "Europe/Vienna"
    assert (definition.graphics.spice, definition.graphics.listen) == (True, "192.0.2.1")
    assert [each.name for each in definition.channels] == ["org.example.0"]
    assert definition.console_log == Path("/state", f"{MACHINE}.console.log")


def test_a_machine_with_a_bios_keeps_no_variables() -> None:
    assert defined(wanted()).nvram is None


@pytest.mark.parametrize(
    ("asks", "password", "expected"), [(True, "word", "word"), (False, "word", None), (True, "", None)]
)
def test_consoles_ask_for_a_password_where_they_shall_and_there_is_one(
    asks: bool, password: str, expected: str | None
) -> None:
    machine = wanted(graphics_auth_enabled=asks, private={"graphics_password": password})
    definition = defined(machine)
    assert definition.graphics.password == expected
    assert "word" not in repr(definition)


def test_what_nothing_is_there_for_is_left_out() -> None:
    machine = wanted(disks=(disk(1), disk(2, deletion_begin=NOW)), nics=(nic(1),), cd_roms=(drive(1),))
    definition = defined(machine, chains={1: chain("one")}, media={}, ports={})
    assert [each.target for each in definition.disks] == ["vda"]
    assert (definition.nics, definition.cd_roms) == ((), ())


def test_devices_are_booted_from_in_the_order_of_their_sorts() -> None:
    machine = wanted(
        disks=(disk(1), disk(2, boot=True)),
        nics=(nic(1),),
        cd_roms=(drive(1), drive(2, boot_order=1)),
        boot_device_order=["cdrom", "disk", "network"],
    )
    definition = defined(machine)
    assert [each.boot_order for each in definition.cd_roms] == [2, 1]
    assert [each.boot_order for each in definition.disks] == [4, 3]
    assert [each.boot_order for each in definition.nics] == [5]


def test_a_sort_that_is_not_named_is_not_booted_from() -> None:
    definition = defined(wanted(disks=(disk(1),), nics=(nic(1),), boot_device_order=["network"]))
    assert definition.disks[0].boot_order is None
    assert definition.nics[0].boot_order == 1


@pytest.mark.parametrize(
    ("own", "volume", "expected"),
    [
        ((0, 0), (0, 0), Limits()),
        ((50, 0), (70, 9), Limits(iops=50, bytes_per_second=9)),
        ((9, 8), (7, 9), Limits(iops=7, bytes_per_second=8)),
    ],
)
def test_the_stricter_limit_of_a_disk_and_its_volume_holds(
    own: tuple[int, int], volume: tuple[int, int], expected: Limits
) -> None:
    limited = disk(1, max_total_iops=own[0], max_total_bw_bps=own[1])
    facts = replace(FACTS, max_total_iops=volume[0], max_total_bw_bps=volume[1])
    assert defining.limits_of(limited, facts) == expected


@pytest.mark.parametrize("model", list(NicModel))
def test_an_interface_is_of_the_model_that_is_wanted_and_as_large_as_its_network_is(model: NicModel) -> None:
    [made] = defined(wanted(nics=(nic(1, model=model, link_up=False),))).nics
    assert (made.model, made.tap, made.mtu, made.link_up) == (model, "tap1", 1450, False)
