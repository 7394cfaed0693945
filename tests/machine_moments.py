"""What moment the disks of a machine are of: writing that shows it, and looking at snapshots from inside."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from guest.control import GuestControl
from machine_server import PATIENCE_SECONDS, Vm

_ALTERNATING = """(
i=0
while :; do
    i=$((i+1))
    printf '%-512d' $i | dd of=/dev/vdb bs=512 seek=65536 conv=notrunc,fsync
    printf '%-512d' $i | dd of=/dev/vdc bs=512 seek=65536 conv=notrunc,fsync
done ) >/dev/null 2>&1 </dev/null & echo $! >/writing"""


def write_in_turn(guest: GuestControl) -> None:
    """Begin to write one number to the second disk and then to the third, durably, and then the next one."""
    assert guest.run(_ALTERNATING).code == 0


def stop_writing(guest: GuestControl) -> None:
    """Idempotent."""
    guest.run("kill $(cat /writing); rm -f /writing")


def numbers(guest: GuestControl, paths: tuple[str, str] = ("/dev/vdb", "/dev/vdc")) -> tuple[int, int]:
    """The last number on each of the two."""
    first, second = (
        int(
            guest.run(f"dd if={path} bs=512 skip=65536 count=1 iflag=direct 2>/dev/null").output.strip(
                "\0 \n"
            )
            or 0
        )
        for path in paths
    )
    return first, second


def of_one_moment(first: int, second: int) -> bool:
    """Whether both disks are as they were at one instant: the second was never ahead, nor far behind."""
    return first > 0 and second <= first <= second + 1


@contextmanager
def as_they_were(vm: Vm, inside: GuestControl, snapshot: int) -> Generator[tuple[str, ...]]:
    """The paths, in a running guest, of what a snapshot holds of the disks that it does not boot from; they
    are plugged in meanwhile, and are in the order in which their machine had them."""
    server = vm.server
    kept = server.find("vm-disk-snaps", f"spec.vm_snap_id:{snapshot} AND spec.boot:false")
    paths: list[str] = []
    with ExitStack() as stack:
        for each in sorted(kept, key=lambda each: int(each["metadata"]["id"])):
            name = f"of {each['metadata']['id']}"
            snap = each["spec"]["bs_snap_id"]
            made = server.ask("/bs-volumes/:clone", name=name, bs_snap_id=snap, flatten=False)
            volume = int(made["metadata"]["id"])
            server.active("bs-volumes", volume)
            stack.callback(server.delete, "bs-volumes", volume)
            disk = server.create("vm-disks", name=name, vm_id=vm.id, bs_volume_id=volume)
            stack.callback(server.delete, "vm-disks", disk)
            found = server.until("vm-disks", disk, lambda found: found["status"]["attached"])
            device = inside.wait_device(found["status"]["serial"], PATIENCE_SECONDS)
            paths.append(device.path)
        yield tuple(paths)
