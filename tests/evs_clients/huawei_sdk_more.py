"""Snapshot groups, the recycle bin, tags and speeds through huaweicloudsdkevs. Says what it saw."""

import json
import os
import time
from collections.abc import Callable
from typing import Any

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.retry.backoff_strategy import BackoffStrategy
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


def status_of(call: Callable[[], object]) -> int:
    try:
        call()
    except ClientRequestException as error:
        return int(error.status_code)
    return 200


option = evs.CreateVolumeOption(
    availability_zone="nova", size=10, volume_type="default", name="more", count=2, iops=5000, throughput=200
)
body = evs.CreateVolumeRequestBody(volume=option)
disks = client.create_volume(evs.CreateVolumeRequest(body=body)).volume_ids

# the same request in the same second has the same signature: it is refused, and a second later it is not
again = [status_of(lambda: client.create_volume(evs.CreateVolumeRequest(body=body))) for _ in range(4)]
seen["repeated"] = set(again) == {200, 401} or set(again) == {401}
time.sleep(1.1)
seen["a second later"] = status_of(lambda: client.create_volume(evs.CreateVolumeRequest(body=body)))


class Second(BackoffStrategy):
    """Waits until a signature has another time."""

    def calculate_retry_delay_millis(self, retry_times: int) -> int:
        return 1100


def with_retry() -> object:
    invoker = client.create_volume_invoker(evs.CreateVolumeRequest(body=body))
    return invoker.with_retry(lambda answer, error: error is not None, 3, Second()).invoke()


# the SDK signs a retry again: with the time of then
seen["retried"] = [status_of(with_retry) for _ in range(2)]

for each in disks:
    while client.show_volume(evs.ShowVolumeRequest(volume_id=each)).volume.status != "available":
        time.sleep(0.05)
shown = client.show_volume(evs.ShowVolumeRequest(volume_id=disks[0])).volume
seen["speed"] = [shown.iops.total_val, shown.throughput.total_val]

group = client.create_snapshot_group(
    evs.CreateSnapshotGroupRequest(
        body=evs.CreateSnapshotGroupRequestBody(
            snapshot_group=evs.SnapshotGroup(volume_ids=disks, name="both", tags={"a": "b"})
        )
    )
).snapshot_group_id
found = client.list_snapshot_group(evs.ListSnapshotGroupRequest(name="both")).snapshot_groups
seen["groups"] = [each.id == group for each in found]
while (
    client.show_snapshot_group(evs.ShowSnapshotGroupRequest(snapshot_group_id=group)).snapshot_group.status
    != "available"
):
    time.sleep(0.05)
tags = client.list_snapshot_group_tags(evs.ListSnapshotGroupTagsRequest()).tags
seen["group_tags"] = [[each.key, each.value] for each in tags]
seen["group_count"] = client.count_snapshots_group(evs.CountSnapshotsGroupRequest()).count
chains = client.list_snapshot_chains(evs.ListSnapshotChainsRequest(volume_id=disks[0])).snapshot_chains
seen["chains"] = [[each.volume_id == disks[0], each.snapshot_count] for each in chains]
client.delete_snapshot_group(evs.DeleteSnapshotGroupRequest(snapshot_group_id=group))

job = client.batch_resize_volumes(
    evs.BatchResizeVolumesRequest(
        body=evs.BatchResizeVolumeRequestBody(
            volumes=[evs.VolumesForBatchResizeVolume(id=each, new_size=11) for each in disks]
        )
    )
)
resized = finished(job.job_id)
seen["resized"] = [resized.status, len(resized.entities.sub_jobs), bool(resized.end_time)]
job = client.modify_volume_qo_s(
    evs.ModifyVolumeQoSRequest(
        volume_id=disks[0],
        body=evs.ModifyVolumeQoSRequestBody(qos_modify=evs.ModifyVolumeQoSOption(iops=6000)),
    )
)
seen["speed_changed"] = finished(job.job_id).status

client.batch_create_volume_tags(
    evs.BatchCreateVolumeTagsRequest(
        volume_id=disks[0],
        body=evs.BatchCreateVolumeTagsRequestBody(action="create", tags=[evs.Tag(key="more", value="1")]),
    )
)
by_tags = client.list_volumes_by_tags(
    evs.ListVolumesByTagsRequest(
        body=evs.ListVolumesByTagsRequestBody(
            action="filter", tags=[evs.TagsForListVolumes(key="more", values=["1"])]
        )
    )
)
seen["by_tags"] = [by_tags.total_count, by_tags.resources[0].resource_id == disks[0]]

policy = evs.ModifyRecycleBinPolicyRequestBody(switch=True, threshold_time=0, keep_time=1)
client.update_recycle_policy(evs.UpdateRecyclePolicyRequest(body=policy))
seen["policy"] = client.show_recycle_policy(evs.ShowRecyclePolicyRequest()).switch
deleted = finished(client.delete_volume(evs.DeleteVolumeRequest(volume_id=disks[0])).job_id)
binned = client.list_volumes_in_recycle(evs.ListVolumesInRecycleRequest())
seen["binned"] = [deleted.status, binned.count, binned.volumes[0].id == disks[0]]
client.revert_volume_in_recycle(evs.RevertVolumeInRecycleRequest(volume_id=disks[0]))
seen["back"] = client.show_volume(evs.ShowVolumeRequest(volume_id=disks[0])).volume.status
off = evs.ModifyRecycleBinPolicyRequestBody(switch=False)
client.update_recycle_policy(evs.UpdateRecyclePolicyRequest(body=off))
print(json.dumps(seen))
