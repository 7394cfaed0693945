"""The hypervisor that runs QEMU under libvirt. Built by the composition root and by tests.

Its parts are one upon the other: `access`, `marks`, `life`, `devices`, `agent`, `points`, `chains`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from stratal.compute.domain import Machine, MachineId
from stratal.compute.drivers.contract import Host, MachineEvent
from stratal.compute.drivers.errors import MachineBusy
from stratal.compute.drivers.libvirt import binding
from stratal.compute.drivers.libvirt.access import Found, described, patient
from stratal.compute.drivers.libvirt.chains import Chains
from stratal.compute.drivers.libvirt.host import HostProbe, firmware, memory_bytes

_HOST = MachineId("the host")
_SURVEY_SECONDS = 300.0


class LibvirtHypervisor(Chains):
    """A `Hypervisor`."""

    def __init__(
        self,
        directory: Path,
        *,
        owner: str,
        uri: str | None = None,
        patience_seconds: float = 20.0,
        host: HostProbe | None = None,
    ) -> None:
        """See `Access`. `host`: what was found out before, to be used again."""
        super().__init__(directory, owner=owner, uri=uri, patience_seconds=patience_seconds)
        self.host = host or HostProbe()

    @patient
    def probe(self) -> Host:
        def versions(connection: Any) -> Mapping[str, str]:
            return {
                "libvirt": _version(connection.getLibVersion()),
                "qemu": _version(connection.getVersion()),
            }

        accelerator, reason = self.host.accelerator()
        found = self.ask_host(_HOST, "looking at the host", versions)
        info = self.ask_host(_HOST, "looking at the host", lambda connection: connection.getInfo())
        return Host(
            accelerator=accelerator,
            accelerator_reason=reason,
            versions=found,
            cpus=int(info[2]),
            memory_bytes=memory_bytes(),
            uefi=firmware() is not None,
        )

    @patient
    def observe(self, machine: MachineId) -> Machine | None:
        found = self.find(machine)
        return None if found is None else found.described

    @patient
    def survey(self) -> Mapping[MachineId, Machine]:
        def look(connection: Any) -> list[Found]:
            seen: list[Found] = []
            for handle in connection.listAllDomains(0):
                try:
                    seen.append(described(handle))
                except Exception as error:
                    # It went away meanwhile.
                    if binding.code_of(error) != binding.module().VIR_ERR_NO_DOMAIN:
                        raise
            return seen

        found = self.ask_host(_HOST, "looking at all machines", look, seconds=_SURVEY_SECONDS)
        ours = (self.mended(each) for each in found if each.domain.owner == self.owner)
        return {each.machine: each.described for each in ours if each is not None}

    @patient
    def disk_sizes(self, machine: MachineId) -> Mapping[str, int]:
        targets = tuple(self.live(machine).domain.disks)
        with self.without_jobs(machine):
            return self.ask(
                machine,
                "measuring disks",
                lambda handle: {target: int(handle.blockInfo(target, 0)[0]) for target in targets},
                refused=lambda reason: MachineBusy(machine=machine, reason=reason),
            )

    def subscribe(self, listener: Callable[[MachineEvent], None]) -> AbstractContextManager[None]:
        return self.link.subscribed(listener)

    def close(self) -> None:
        """Leave libvirt. Machines run on."""
        self.link.close()


def _version(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
