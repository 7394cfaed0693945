"""A running installation of compute, and short ways to ask it. All that it works on is simulated, unless
something else is given."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from declared_tables import create_tables
from storage_installation import (
    ADMIN,
    SETTINGS,
    AnyResource,
    AnyService,
    Installation,
    eventually,
    simulated,
)
from stratal.cluster import KINDS as CLUSTER_KINDS
from stratal.cluster import Cluster
from stratal.compute import KINDS as COMPUTE_KINDS
from stratal.compute import (
    Compute,
    Guests,
    Places,
    Timing,
    VirtualMachineClone,
    guests_of,
    kept_disk_of,
    ports_of,
    use_of,
)
from stratal.compute.drivers.contract import Hypervisor
from stratal.compute.drivers.simulated import SimulatedHypervisor, World
from stratal.identity import KINDS as IDENTITY_KINDS
from stratal.kernel.access import Access
from stratal.kernel.database import Database
from stratal.kernel.engine import Engine, EngineSettings
from stratal.kernel.kind import Catalogue
from stratal.kernel.script import Script
from stratal.kernel.transaction import Transaction
from stratal.network import KINDS as NETWORK_KINDS
from stratal.network import Network
from stratal.network.drivers.contract import NetworkDriver
from stratal.network.drivers.simulated import SimulatedNetwork
from stratal.storage import KINDS as STORAGE_KINDS
from stratal.storage import Backend, ImageSettings, Storage

SECRETS = {"key-1": {"cipher": "sesame"}}
"""What the keys of this installation decrypt."""


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What an installation works on, and what goes on when it has ended."""

    #: the first one is for whoever names none
    backends: Mapping[str, Backend]
    hypervisor: Hypervisor
    network: NetworkDriver


@dataclass(kw_only=True)
class ComputeInstallation(Installation):
    """Calls the services of compute as well."""

    compute: Compute
    cluster: Cluster
    network: Network
    world: World
    outside: Outside

    @property
    def machines(self) -> AnyService:
        return self.compute.virtual_machines

    @property
    def disks(self) -> AnyService:
        return self.compute.vm_disks

    @property
    def nics(self) -> AnyService:
        return self.compute.vm_nics

    @property
    def drives(self) -> AnyService:
        return self.compute.vm_cd_roms

    @property
    def moments(self) -> AnyService:
        return self.compute.vm_snaps

    # -- asking --------------------------------------------------------------------------------------

    def ask_for_machine(self, name: str = "web", access: Access = ADMIN, **spec: Any) -> AnyResource:
        body = {"name": name, "memory_mb": 512, **spec}
        return self.create(self.machines, access, **_typed(self.machines.create_body, body))

    def machine(self, name: str = "web", access: Access = ADMIN, **spec: Any) -> AnyResource:
        """A machine, once it is as it is wanted."""
        return self.active(self.machines, self.ask_for_machine(name, access, **spec).id)

    def with_disks(self, *sizes_mb: int, name: str = "web", **spec: Any) -> AnyResource:
        """A machine with empty disks of these sizes."""
        disks = [{"size_mb": size, "bs_policy_id": self.default_policy} for size in sizes_mb]
        return self.machine(name, vm_disks=disks, **spec)

    def disks_of(self, vm_id: int) -> list[AnyResource]:
        return self.of(self.disks, vm_id=vm_id)

    def of(self, service: AnyService, **owner: int) -> list[AnyResource]:
        """The resources that name these in their specs."""
        where = [service.columns[name] == id for name, id in owner.items()]
        return self.database.read(lambda tx: service.store.find(tx, *where))

    def moment(self, vm_id: int, name: str = "moment", **spec: Any) -> AnyResource:
        """A snapshot of a machine, once it is there."""
        return self.active(self.moments, self.create(self.moments, name=name, vm_id=vm_id, **spec).id)

    def ask_for_copy(self, access: Access = ADMIN, **spec: Any) -> AnyResource:
        body = VirtualMachineClone(**{"name": "copy", **spec})
        return self.database.write(lambda tx: self.compute.virtual_machines.clone(tx, access, body))

    def copy(self, **spec: Any) -> AnyResource:
        """A clone of a machine, once it is as it is wanted."""
        copy = self.active(self.machines, self.ask_for_copy(**spec).id)
        for disk in self.disks_of(copy.id):
            self.active(self.disks, disk.id)
        return copy

    def power(self, vm_id: int, state: str) -> None:
        """Start or stop a machine, and wait until it has."""
        self.act(self.machines, vm_id, "start" if state == "running" else "stop")
        eventually(lambda: self.show(self.machines, vm_id).status.power_state == state)

    def network_id(self, name: str = "net", **spec: Any) -> int:
        """A network on the switch that every installation has."""
        [switch] = self.database.read(lambda tx: self.network.vsws.store.find(tx))
        service: AnyService = self.network.br_nets
        vlan = {"vlan_id": 10 + self.database.read(lambda tx: service.store.count(tx))}
        made = self.create(service, name=name, vsw_id=switch.id, **{**vlan, **spec})
        return self.active(service, made.id).id

    def write_to(self, disk: AnyResource, data: bytes) -> None:
        self.write(disk.spec.bs_volume_id, 0, data)

    def read_from(self, disk: AnyResource, length: int) -> bytes:
        return self.read(self.volumes, disk.spec.bs_volume_id, 0, length)


def _typed(body: Any, spec: dict[str, Any]) -> dict[str, Any]:
    """The parts in the body of a machine as a face decodes them."""
    import msgspec

    types = {field.name: field.type for field in msgspec.structs.fields(body)}
    return {name: msgspec.convert(value, types[name]) for name, value in spec.items()}


@contextmanager
def running(
    url: str,
    directory: Path,
    *,
    script: Script | None = None,
    world: World | None = None,
    outside: Outside | None = None,
    settings: EngineSettings = SETTINGS,
) -> Iterator[ComputeInstallation]:
    """An installation with an engine. `directory`: where files of machines go."""
    script = script or Script()
    world = world or World()
    outside = outside or Outside(
        backends={"simulated": simulated(script)},
        hypervisor=SimulatedHypervisor(world, script=script),
        network=SimulatedNetwork(script=script),
    )
    database = Database(url)
    create_tables(database)
    kinds = (*IDENTITY_KINDS, *CLUSTER_KINDS, *STORAGE_KINDS, *NETWORK_KINDS, *COMPUTE_KINDS)
    catalogue = Catalogue(kinds)
    storage = Storage(
        catalogue,
        database,
        outside.backends,
        default_driver=next(iter(outside.backends)),
        images=ImageSettings(spool=Path("/nonexistent")),
        use_of=use_of,
        kept_disk_of=kept_disk_of,
    )
    cluster = Cluster(catalogue, node_name="here")

    def this_node(transaction: Transaction) -> int | None:
        return next((node.id for node in cluster.nodes.store.find(transaction, labels=False)), None)

    network = Network(
        catalogue,
        database,
        outside.network,
        nodes_of=lambda tx: [id for id in (this_node(tx),) if id is not None],
        guests_of=guests_of,
        ports_of=ports_of,
    )
    compute = Compute(
        catalogue,
        database,
        storage,
        this_node=this_node,
        check_address=network.br_nets.check_address,
        decrypt=lambda key, text: SECRETS.get(key, {}).get(text),
    )
    guests = Guests(
        database,
        storage,
        network.ports,
        outside.hypervisor,
        places=Places(state=directory),
        ceph=None,
        this_node=this_node,
        timing=Timing(stop_grace=timedelta(seconds=1)),
    )
    reconcilers = [
        *cluster.reconcilers,
        *storage.reconcilers,
        *network.reconcilers,
        *compute.reconcilers(guests.reconciler),
    ]
    engine = Engine(database, catalogue, reconcilers, owner="test", settings=settings)
    database.on_work = engine.wake
    node = database.write(lambda tx: cluster.nodes.register_this_node(tx, "here", "192.0.2.1"))
    guests.start()
    storage.start()
    network.start(node.id)
    engine.start()
    try:
        yield ComputeInstallation(
            database=database,
            storage=storage,
            engine=engine,
            script=script,
            compute=compute,
            cluster=cluster,
            network=network,
            world=world,
            outside=outside,
        )
    finally:
        assert engine.stop(timedelta(seconds=10))
        guests.close()
        network.close()
        storage.close()
        database.close()
