"""What a simulated machine looks like from outside. Called by `driver`."""

from stratal.compute.domain import (
    AgentState,
    CdRomState,
    DiskState,
    GraphicsPorts,
    Machine,
    MachineId,
    NicState,
)
from stratal.compute.drivers.simulated.world import Guest, Held


def described(machine: MachineId, held: Held, guest: Guest) -> Machine:
    connected = held.alive and held.has_agent_channel and guest.has_agent
    return Machine(
        machine=machine,
        name=held.name,
        power_state=held.power_state,
        cause=held.cause,
        cpus=held.cpus,
        memory_bytes=held.memory_bytes,
        disks={
            disk.target: DiskState(
                target=disk.target,
                chain=disk.chain,
                serial=disk.serial,
                read_only=disk.read_only,
                limits=disk.limits,
            )
            for disk in held.disks.values()
        },
        cd_roms={
            cd_rom.target: CdRomState(target=cd_rom.target, medium=cd_rom.medium, tray_open=False)
            for cd_rom in held.cd_roms.values()
        },
        nics={nic.mac: NicState(mac=nic.mac, tap=nic.tap, link_up=nic.link_up) for nic in held.nics.values()},
        graphics=GraphicsPorts(
            vnc=held.port if held.vnc and held.alive else None,
            spice=held.port + 1 if held.spice and held.alive else None,
        ),
        agent=AgentState.CONNECTED if connected else AgentState.DISCONNECTED,
        held=held.hold_until is not None,
    )
