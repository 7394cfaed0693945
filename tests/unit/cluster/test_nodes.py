"""Nodes: registration at start, what they report, and what can be changed."""

from pathlib import Path

import msgspec
import pytest
from cluster_installation import ADMIN, FACTS, NODE_NAME, AnyResource, Installation

from stratal.cluster import Cluster
from stratal.cluster.node.host import read_host
from stratal.kernel.errors import Conflict, Invalid
from stratal.kernel.state import State
from waiting import eventually


def register(installation: Installation, name: str = NODE_NAME, admin_ip: str = "192.0.2.10") -> AnyResource:
    nodes = installation.cluster.nodes
    return installation.database.write(lambda tx: nodes.register_this_node(tx, name, admin_ip))


def test_the_node_of_this_process_reports_its_host(installation: Installation, cluster: Cluster) -> None:
    node = register(installation)
    eventually(lambda: installation.show(cluster.nodes, node.id).state.state is State.ACTIVE)
    status = installation.show(cluster.nodes, node.id).status
    assert status.up
    assert (status.hostname, status.cpu_num, status.boot_at) == (
        FACTS.hostname,
        FACTS.cpu_num,
        FACTS.boot_at,
    )


def test_registering_again_finds_the_same_node(installation: Installation) -> None:
    first = register(installation)
    assert register(installation).id == first.id
    assert installation.database.read(installation.cluster.nodes.count_live) == 1


def test_registering_under_another_address_changes_the_address(installation: Installation) -> None:
    first = register(installation)
    again = register(installation, admin_ip="2001:db8::1")
    assert (again.id, again.spec.admin_ip) == (first.id, "2001:db8::1")


def test_a_node_that_was_renamed_is_known_again(installation: Installation, cluster: Cluster) -> None:
    node = register(installation)
    installation.update(cluster.nodes, node.id, name="rack 1, top")
    again = register(installation)
    assert (again.id, again.spec.name) == (node.id, "rack 1, top")


def test_a_node_cannot_register_under_the_name_of_another(
    installation: Installation, cluster: Cluster
) -> None:
    node = register(installation)
    installation.update(cluster.nodes, node.id, name="node-2")
    with pytest.raises(Conflict, match="already a node with name 'node-2'"):
        register(installation, name="node-2")


def test_an_address_that_is_none_is_refused(installation: Installation, cluster: Cluster) -> None:
    with pytest.raises(Invalid, match=r"^admin_ip: "):
        register(installation, admin_ip="node.example")
    node = register(installation)
    with pytest.raises(Invalid, match=r"^spec\.storage_public_ip: "):
        installation.update(cluster.nodes, node.id, storage_public_ip="10.0.0.300")


def test_an_address_can_be_set_and_taken_away_again(installation: Installation, cluster: Cluster) -> None:
    node = register(installation)
    changed = installation.update(cluster.nodes, node.id, storage_public_ip="2001:DB8:0::7", maintained=True)
    assert (changed.spec.storage_public_ip, changed.spec.maintained) == ("2001:db8::7", True)
    assert installation.update(cluster.nodes, node.id, storage_public_ip=None).spec.storage_public_ip is None


def test_the_address_of_a_node_is_not_patched(cluster: Cluster) -> None:
    assert cluster.nodes.update_body is not None
    with pytest.raises(msgspec.ValidationError, match="unknown field `admin_ip`"):
        msgspec.convert({"admin_ip": "192.0.2.1"}, cluster.nodes.update_body)


def test_a_node_is_put_into_its_first_chassis_and_counts_there(
    installation: Installation, cluster: Cluster
) -> None:
    node, chassis = register(installation), installation.chassis()
    installation.update(cluster.nodes, node.id, chassis_id=chassis.id)
    eventually(lambda: installation.show(cluster.chassises, chassis.id).status.node_num == 1)


def test_a_process_says_nothing_of_the_nodes_of_others(installation: Installation, cluster: Cluster) -> None:
    stranger, own = register(installation, name="elsewhere"), register(installation)
    eventually(lambda: installation.show(cluster.nodes, own.id).status.up)
    seen = installation.show(cluster.nodes, stranger.id)
    assert (seen.status.up, seen.state.state) == (False, State.CREATING)


def test_a_node_that_is_up_is_deleted_only_when_it_was_declared_lost(
    installation: Installation, cluster: Cluster
) -> None:
    node = register(installation)
    eventually(lambda: installation.show(cluster.nodes, node.id).status.up)
    with pytest.raises(Conflict, match="is up"):
        installation.delete(cluster.nodes, node.id)
    installation.update(cluster.nodes, node.id, unrecoverable=True)
    assert installation.delete(cluster.nodes, node.id).state.state is State.DELETING


def test_what_is_false_is_shown_too(installation: Installation) -> None:
    node = register(installation, name="elsewhere")
    spec, status = msgspec.to_builtins(node.spec), msgspec.to_builtins(node.status)
    assert (spec["maintained"], spec["role_sds_server"], status["up"]) == (False, False, False)
    assert "registered_as" not in spec


def test_every_role_of_the_caller_sees_nodes(installation: Installation, cluster: Cluster) -> None:
    node = register(installation)
    shown = installation.database.read(lambda tx: cluster.nodes.show(tx, ADMIN, node.id))
    assert shown.spec.name == NODE_NAME


def _write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)


def test_facts_are_read_from_proc_and_sys(tmp_path: Path) -> None:
    cpu = "processor\t: {}\nmodel name\t: Example CPU @ 2.60GHz\nphysical id\t: {}\n\n"
    _write(
        tmp_path,
        {
            "proc/cpuinfo": "".join(cpu.format(number, number % 2) for number in range(4)),
            "proc/meminfo": "MemTotal:       16384000 kB\nMemFree:        1 kB\n",
            "proc/stat": "cpu  1 2 3\nbtime 1700000000\nprocesses 5\n",
            "proc/sys/kernel/hostname": "host-7\n",
            "sys/class/dmi/id/sys_vendor": "Example Systems\n",
            "sys/class/dmi/id/product_name": " \n",
            "sys/class/iommu/dmar0/name": "",
            **{f"sys/devices/system/cpu/cpu{n}/topology/physical_package_id": f"{n % 2}\n" for n in range(4)},
            "sys/devices/system/node/node0/cpulist": "0-3",
        },
    )
    facts = read_host(tmp_path)
    assert (facts.hostname, facts.vendor, facts.model, facts.serial) == (
        "host-7",
        "Example Systems",
        None,
        None,
    )
    assert (facts.cpu_model, facts.cpu_num, facts.physical_cpu_num) == ("Example CPU @ 2.60GHz", 4, 2)
    assert facts.memory_mb == 16000
    assert facts.boot_at is not None
    assert facts.boot_at.isoformat() == "2023-11-14T22:13:20+00:00"
    assert (facts.iommu_enabled, facts.numa_enabled) == (True, False)


def test_a_host_that_tells_nothing_gives_facts_all_the_same(tmp_path: Path) -> None:
    facts = read_host(tmp_path)
    assert (facts.hostname, facts.cpu_num, facts.memory_mb, facts.boot_at) == (None, None, None, None)


def test_this_very_host_tells_its_name_its_memory_and_its_cpus() -> None:
    facts = read_host()
    assert facts.hostname
    assert (facts.cpu_num or 0) > 0
    assert (facts.memory_mb or 0) > 0
