"""Images of disks in snapshots of machines, while these go on running, and machines that start as them."""

from typing import Any

import pytest

from compute_installation import ComputeInstallation
from storage_installation import ADMIN, MEMBER, NEIGHBOUR, AnyResource
from stratal.kernel.access import Access
from stratal.kernel.errors import Invalid


def template(here: ComputeInstallation, access: Access = ADMIN, **spec: Any) -> AnyResource:
    service: Any = here.storage.images.service
    return here.active(service, here.create(service, access, name="template", **spec).id)


def test_a_template_is_the_boot_disk_of_a_snapshot_or_the_disk_that_is_named(
    here: ComputeInstallation,
) -> None:
    machine = here.with_disks(1, 2)
    disks = here.disks_of(machine.id)
    for disk, content in zip(disks, (b"one", b"two"), strict=True):
        here.write_to(here.active(here.disks, disk.id), content)
    here.update(here.disks, disks[1].id, boot=True)
    here.power(machine.id, "running")
    moment = here.moment(machine.id)
    first, second = here.of(here.compute.vm_snaps.disks, vm_snap_id=moment.id)
    of_boot_disk = template(here, vm_snap_id=moment.id)
    assert (of_boot_disk.spec.vm_snap_id, of_boot_disk.spec.bs_snap_id) == (moment.id, second.spec.bs_snap_id)
    of_other = template(here, vm_snap_id=moment.id, vm_disk_snap_id=first.id)
    assert (of_other.spec.vm_snap_id, of_other.spec.bs_snap_id) == (moment.id, first.spec.bs_snap_id)
    assert template(here, vm_disk_snap_id=first.id).spec.vm_snap_id == moment.id
    assert here.show(here.machines, machine.id).status.power_state == "running"
    here.remove(here.machines, machine.id)
    for image, content in ((of_boot_disk, b"two"), (of_other, b"one")):
        copy = here.machine("copy-of-" + content.decode(), vm_disks=[{"vm_image_id": image.id}])
        [disk] = here.disks_of(copy.id)
        assert here.read_from(here.active(here.disks, disk.id), 3) == content


def test_a_template_of_what_there_is_not_or_of_two_things_is_refused_by_the_field(
    here: ComputeInstallation,
) -> None:
    moment, other = here.moment(here.with_disks(1).id), here.moment(here.with_disks(1, name="db").id)
    [disk] = here.of(here.compute.vm_snaps.disks, vm_snap_id=moment.id)
    bare = here.moment(here.machine("bare").id)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"vm_snap_id": 10**9}, "vm_snap_id"),
        ({"vm_snap_id": bare.id}, "vm_snap_id"),
        ({"vm_disk_snap_id": 10**9}, "vm_disk_snap_id"),
        ({"vm_snap_id": other.id, "vm_disk_snap_id": disk.id}, "vm_disk_snap_id"),
        ({"vm_snap_id": moment.id, "bs_snap_id": disk.spec.bs_snap_id}, "vm_snap_id"),
        ({"vm_snap_id": moment.id, "path": "/x"}, "path"),
        ({"vm_snap_id": moment.id, "size_byte": 7}, "size_byte"),
    ]
    for spec, field in wrong:
        with pytest.raises(Invalid) as refused:
            template(here, **spec)
        assert refused.value.fields["field"] == f"spec.{field}", spec


@pytest.mark.parametrize("field", ["vm_snap_id", "vm_disk_snap_id"])
def test_a_snapshot_of_another_project_is_as_one_that_there_is_not(
    here: ComputeInstallation, field: str
) -> None:
    moment = here.moment(here.with_disks(1, access=MEMBER).id)
    [disk] = here.of(here.compute.vm_snaps.disks, vm_snap_id=moment.id)
    id = moment.id if field == "vm_snap_id" else disk.id
    with pytest.raises(Invalid, match=f"there is no {field.removesuffix('_id')} {id}"):
        template(here, NEIGHBOUR, **{field: id})
