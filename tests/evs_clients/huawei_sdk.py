"""The life of disks and snapshots through huaweicloudsdkevs. Says what it saw."""

import json
import os
import time
import uuid
from collections.abc import Callable
from typing import Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkevs import v2 as evs

client: Any = (
    evs.EvsClient.new_builder()
    .with_credentials(BasicCredentials(os.environ["AK"], os.environ["SK"], os.environ["PROJECT"]))
    .with_endpoint(os.environ["ENDPOINT"])
    .build()
)
seen: dict[str, object] = {}


def finished(job_id: str) -> Any:
    while True:
        job = client.show_job(evs.ShowJobRequest(job_id=job_id))
        if job.status not in ("INIT", "RUNNING"):
            return job
        time.sleep(0.05)


def refusal(call: Callable[[], object]) -> list[object]:
    try:
        call()
    except ClientRequestException as error:
        return [error.status_code, error.error_code]
    return []


def show_disk() -> Any:
    return client.show_volume(evs.ShowVolumeRequest(volume_id=disk)).volume


option = evs.CreateVolumeOption(
    availability_zone="nova", size=10, volume_type="default", name="disk", count=2, tags={"a": "b"}
)
request = evs.CreateVolumeRequest(
    x_client_token=str(uuid.uuid4()), body=evs.CreateVolumeRequestBody(volume=option)
)
made = client.create_volume(request)
seen["same_ids_for_the_same_token"] = client.create_volume(request).volume_ids == made.volume_ids
job = finished(made.job_id)
seen["job"], seen["parts"] = job.status, len(job.entities.sub_jobs)
disk = made.volume_ids[0]

page = client.list_volumes(evs.ListVolumesRequest(limit=1, name=None, ids=",".join(made.volume_ids)))
seen["paged"] = [page.count, len(page.volumes)]

snapshot = client.create_snapshot(
    evs.CreateSnapshotRequest(
        body=evs.CreateSnapshotRequestBody(
            snapshot=evs.CreateSnapshotOption(volume_id=disk, name="ünï códe", metadata={"a": "b"})
        )
    )
).snapshot
while snapshot.status == "creating":
    time.sleep(0.05)
    snapshot = client.show_snapshot(evs.ShowSnapshotRequest(snapshot_id=snapshot.id)).snapshot
seen["snapshot"] = snapshot.status
rolled = client.rollback_snapshot(
    evs.RollbackSnapshotRequest(
        snapshot_id=snapshot.id,
        body=evs.RollbackSnapshotRequestBody(rollback=evs.RollbackSnapshotOption(volume_id=disk)),
    )
)
seen["rolled_back"] = rolled.rollback.volume_id == disk
while show_disk().status == "rollbacking":
    time.sleep(0.05)


def resize(size: int) -> Any:
    body = evs.ResizeVolumeRequestBody(os_extend=evs.OsExtend(new_size=size))
    return client.resize_volume(evs.ResizeVolumeRequest(volume_id=disk, body=body))


finished(resize(20).job_id)
seen["size"] = show_disk().size
body = evs.UpdateVolumeRequestBody(volume=evs.UpdateVolumeOption(name="other"))
seen["renamed"] = client.update_volume(evs.UpdateVolumeRequest(volume_id=disk, body=body)).name

standard = client.create_standard_snapshot(
    evs.CreateStandardSnapshotRequest(
        body=evs.CreateStandardSnapshotRequestBody(
            snapshot=evs.CreateStandardSnapshot(volume_id=disk, name="std", tags={"x": "y"})
        )
    )
)
found = None
while found is None or found.status == "creating":
    time.sleep(0.05)
    details = client.list_snapshots_details(evs.ListSnapshotsDetailsRequest(id=standard.snapshot_id))
    found = details.snapshots[0]
seen["standard"] = found.category
seen["counted"] = client.count_snapshots(evs.CountSnapshotsRequest(volume_id=disk)).count

seen["refused"] = refusal(lambda: resize(5))
missing = evs.ShowVolumeRequest(volume_id=str(uuid.uuid4()))
seen["missing"] = refusal(lambda: client.show_volume(missing))
seen["deleted"] = finished(client.delete_volume(evs.DeleteVolumeRequest(volume_id=disk)).job_id).status
seen["gone"] = refusal(show_disk)
print(json.dumps(seen))
