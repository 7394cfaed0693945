"""A server that is killed while it deletes a snapshot, takes a volume back or lets it grow, on real files.

The whole server dies at crash points of the effects themselves. Cinder's volumes stay `deleting`, `reverting`
or `extending` for ever, with the quota that was reserved; here another server goes on by itself.
"""

import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from evs_client import Cloud
from running_server import RunningServer, running_server
from stratal.storage.drivers.contract import LayerId
from stratal.storage.drivers.qcow2 import Qcow2Driver

pytestmark = pytest.mark.xdist_group("evs-kills")

MIB = 2**20
BLOCK = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A volume with two snapshots on files. It held 1 at the older, 12 at the latest, and holds 123."""

    directory: Path
    password: str
    volume: str
    older: str
    latest: str


def _connected(server: RunningServer, password: str) -> Cloud:
    return Cloud(server, "admin", password, "default")


def _layers(directory: Path, volume: str) -> tuple[Qcow2Driver, LayerId]:
    """The driver of the place in which the volume is, and the layer that the volume writes to."""
    with closing(sqlite3.connect(f"file:{directory}/data/stratal.db?mode=ro", uri=True)) as database:
        [(layer, place)] = database.execute(
            "SELECT layer_name.layer, tree_spec.place FROM layer_name"
            " JOIN layer ON layer.id = layer_name.layer JOIN tree_spec ON tree_spec.id = layer.tree_id"
            " JOIN bs_volume_spec ON cast(bs_volume_spec.id AS text) = layer_name.id"
            " WHERE layer_name.kind = 'head' AND bs_volume_spec.uuid = ?",
            (volume,),
        )
    return Qcow2Driver(Path(place)), LayerId(layer)


def _write(directory: Path, volume: str, block: int, letter: bytes) -> None:
    driver, layer = _layers(directory, volume)
    with driver.open_writing(layer) as writer:
        writer.write(block * BLOCK, letter * BLOCK)


def _held(directory: Path, volume: str) -> bytes:
    """One letter of each of the first three blocks, each of which is of one letter."""
    driver, layer = _layers(directory, volume)
    with driver.open_reading(layer) as reader:
        blocks = [reader.read(number * BLOCK, BLOCK) for number in range(3)]
    assert all(block == block[:1] * BLOCK for block in blocks)
    return b"".join(block[:1] for block in blocks)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    directory = tmp_path_factory.mktemp("evs-kills")
    with running_server(directory) as server:
        password = server.password
        with _connected(server, password) as cloud:
            volume = cloud.volume()
            _write(directory, volume, 0, b"1")
            older = cloud.snapshot(volume)
            _write(directory, volume, 1, b"2")
            latest = cloud.snapshot(volume)
            _write(directory, volume, 2, b"3")
    return Disk(directory=directory, password=password, volume=volume, older=older, latest=latest)


@pytest.fixture
def disk(prepared: Disk) -> Disk:
    """The same disk as if nobody had touched it since: its files are put back."""
    kept = prepared.directory / "kept"
    data = prepared.directory / "data"
    if not kept.exists():
        shutil.copytree(data, kept)
    shutil.rmtree(data)
    shutil.copytree(kept, data)
    return prepared


def _delete(cloud: Cloud, disk: Disk) -> None:
    cloud.call("DELETE", f"/v3/snapshots/{disk.older}", expect=202)


def _revert(cloud: Cloud, disk: Disk) -> None:
    cloud.act(disk.volume, "revert", {"snapshot_id": disk.latest}, version="3.40", expect=202)


def _extend(cloud: Cloud, disk: Disk) -> None:
    cloud.act(disk.volume, "os-extend", {"new_size": 3}, expect=202)


Deed = Callable[[Cloud, Disk], None]
#: what is done, the point at which the server dies, what the volume holds in the end, its size in GiB and
#: how many snapshots are left
KILLS: list[tuple[Deed, str, bytes, int, int]] = [
    (_delete, "qcow2.merge.commit.before", b"123", 1, 1),
    (_delete, "qcow2.merge.commit.after", b"123", 1, 1),
    (_revert, "qcow2.make.publish.after", b"12\0", 1, 2),
    (_revert, "qcow2.delete.after", b"12\0", 1, 2),
    (_extend, "qcow2.resize.after", b"123", 3, 2),
]


@pytest.mark.parametrize(
    ("deed", "point", "held", "size", "snapshots"),
    KILLS,
    ids=[f"{deed.__name__}-{point}" for deed, point, *_ in KILLS],
)
def test_what_was_asked_for_comes_true_and_nothing_is_lost_or_stuck(
    disk: Disk, deed: Deed, point: str, held: bytes, size: int, snapshots: int
) -> None:
    with (
        running_server(disk.directory, environment={"STRATAL_CRASH_AT": point}) as server,
        _connected(server, disk.password) as cloud,
    ):
        deed(cloud, disk)
        assert server.process.wait(timeout=30) == -signal.SIGKILL
    with running_server(disk.directory) as server, _connected(server, disk.password) as cloud:
        if deed is _delete:
            cloud.gone("snapshot", disk.older)
        cloud.settled("volume", disk.volume)
        cloud.settled("snapshot", disk.latest)
        assert cloud.show("volume", disk.volume)["size"] == size
        listed = cloud.call("GET", "/v3/snapshots/detail").json()["snapshots"]
        assert [each["status"] for each in listed] == ["available"] * snapshots
        usage = cloud.call("GET", f"/v3/os-quota-sets/{cloud.project}?usage=True").json()["quota_set"]
        used = {what: usage[what]["in_use"] for what in ("volumes", "snapshots", "gigabytes")}
        assert used == {"volumes": 1, "snapshots": snapshots, "gigabytes": size}
        assert {usage[what]["reserved"] for what in used} == {0}
        # and nothing is locked: the next thing that is asked for is done, too
        cloud.act(disk.volume, "os-extend", {"new_size": size + 1}, expect=202)
        cloud.settled("volume", disk.volume)
    assert _held(disk.directory, disk.volume) == held


def test_a_volume_that_is_promised_to_somebody_who_died_is_taken_back_by_its_owner(
    disk: Disk,
) -> None:
    """No status lasts because of a client that went away: whoever may promise may take back."""
    with running_server(disk.directory) as server, _connected(server, disk.password) as cloud:
        cloud.act(disk.volume, "os-reserve", expect=202)
        server.kill()
    with running_server(disk.directory) as server, _connected(server, disk.password) as cloud:
        assert cloud.show("volume", disk.volume)["status"] == "attaching"
        cloud.act(disk.volume, "os-unreserve", expect=202)
        cloud.act(disk.volume, "os-extend", {"new_size": 2}, expect=202)
        cloud.settled("volume", disk.volume)


def test_refused_and_killed_requests_use_up_no_quota(disk: Disk) -> None:
    with running_server(disk.directory) as server, _connected(server, disk.password) as cloud:
        path = f"/v3/os-quota-sets/{cloud.project}"
        cloud.call("PUT", path, {"quota_set": {"volumes": 3, "snapshots": 4, "gigabytes": 4}}, expect=200)
        for _ in range(3):
            cloud.call("POST", "/v3/volumes", {"volume": {"size": 9}}, expect=413)
            cloud.act(disk.volume, "os-extend", {"new_size": 9}, expect=413)
        asked = [cloud.call("POST", "/v3/volumes", {"volume": {"size": 1}}).json() for _ in range(2)]
        server.kill()
    with running_server(disk.directory) as server, _connected(server, disk.password) as cloud:
        for each in asked:
            cloud.settled("volume", each["volume"]["id"])
        usage = cloud.call("GET", f"{path}?usage=True").json()["quota_set"]
        assert (usage["volumes"]["in_use"], usage["gigabytes"]["in_use"]) == (3, 3)
        cloud.call("POST", "/v3/volumes", {"volume": {"size": 1}}, expect=413)
        cloud.call("DELETE", f"/v3/volumes/{asked[0]['volume']['id']}", expect=202)
        cloud.gone("volume", asked[0]["volume"]["id"])
        cloud.volume()
