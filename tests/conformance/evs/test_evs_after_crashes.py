"""Where Cinder is known to get stuck after a kill -9, and Stratal does not."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from evs_client import Cloud
from running_server import RunningServer, running_server

pytestmark = pytest.mark.xdist_group("evs-crashes")


def _connected(server: RunningServer, password: str) -> Cloud:
    return Cloud(server, "admin", password, "default")


_AT_WORK: dict[str, Callable[[Cloud, str, str], object]] = {
    "a snapshot is deleted": lambda cloud, _, snapshot: cloud.call(
        "DELETE", f"/v3/snapshots/{snapshot}", expect=202
    ),
    "a volume is reverted": lambda cloud, volume, snapshot: cloud.act(
        volume, "revert", {"snapshot_id": snapshot}, version="3.40", expect=202
    ),
    "a volume is extended": lambda cloud, volume, _: cloud.act(
        volume, "os-extend", {"new_size": 2}, expect=202
    ),
    "a volume is deleted with its snapshots": lambda cloud, volume, _: cloud.call(
        "DELETE", f"/v3/volumes/{volume}?cascade=true", expect=202
    ),
}


@pytest.mark.parametrize("what", _AT_WORK)
def test_a_kill_while_something_is_done_leaves_nothing_stuck(tmp_path: Path, what: str) -> None:
    with running_server(tmp_path) as server:
        password = server.password
        with _connected(server, password) as cloud:
            volume = cloud.volume()
            snapshot = cloud.snapshot(volume)
            _AT_WORK[what](cloud, volume, snapshot)
            server.kill()
    with running_server(tmp_path) as server, _connected(server, password) as cloud:
        if what == "a snapshot is deleted":
            cloud.gone("snapshot", snapshot)
        elif what == "a volume is deleted with its snapshots":
            cloud.gone("volume", volume)
            cloud.gone("snapshot", snapshot)
            usage = cloud.call("GET", f"/v3/os-quota-sets/{cloud.project}?usage=True").json()["quota_set"]
            assert (usage["volumes"]["in_use"], usage["snapshots"]["in_use"]) == (0, 0)
            return
        cloud.settled("volume", volume)
        if what == "a volume is extended":
            assert cloud.show("volume", volume)["size"] == 2
        else:
            cloud.act(volume, "os-extend", {"new_size": 3}, expect=202)
            cloud.settled("volume", volume)


def test_of_many_at_once_no_more_are_made_than_the_quota_allows(tmp_path: Path) -> None:
    with (
        running_server(tmp_path, environment={"STRATAL_SIMULATE": "true"}) as server,
        _connected(server, server.password) as cloud,
    ):
        quota = {"quota_set": {"volumes": 5, "gigabytes": 7}}
        cloud.call("PUT", f"/v3/os-quota-sets/{cloud.project}", quota, expect=200)
        statuses: list[int] = []

        def ask() -> None:
            with _connected(server, server.password) as another:
                for _ in range(4):
                    answer = another.call("POST", "/v3/volumes", {"volume": {"size": 1}})
                    statuses.append(answer.status_code)

        threads = [Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [202] * 5 + [413] * 11
        deadline = time.monotonic() + 20
        while (used := cloud.call("GET", "/v3/limits").json()["limits"]["absolute"])["totalVolumesUsed"] != 5:
            assert time.monotonic() < deadline, used
