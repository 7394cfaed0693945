"""Attachments: the records of who has a volume, in the old way (actions) and the new (`/attachments`).

They are promises between clients, about machines that are not this Stratal's; its own machines have their
disks through the compute domain, which tells storage by `UseOf`. Either keeps a volume from being deleted.
"""

from typing import Any

from sqlalchemy import delete, func, select

from stratal.kernel.access import Access, Reach
from stratal.kernel.errors import Invalid, NotFound
from stratal.kernel.transaction import Transaction
from stratal.storage.block import views
from stratal.storage.block.model import ATTACHMENT
from stratal.storage.block.states import VolumeStatus, check_volume
from stratal.storage.block.views import AttachmentView, VolumeView
from stratal.storage.block.volumes import BlockVolumes
from stratal.storage.bs_volume.use import Use, UseOf


class Attachments:
    def __init__(self, volumes: BlockVolumes) -> None:
        self._volumes = volumes

    # -- the old way: steps of a volume --------------------------------------------------------------

    def reserve_volume(self, transaction: Transaction, access: Access, id: int) -> None:
        """Promise it to somebody. Raises WrongStatus unless it is available."""
        volume = self._volumes.show(transaction, access, id, lock=True)
        verb = "reserve-shared" if volume.multiattach else "reserve"
        check_volume(verb, status=volume.status, uuid=volume.uuid)
        self._volumes.put(transaction, access, id, "reserve", condition=VolumeStatus.ATTACHING.value)

    def unreserve_volume(self, transaction: Transaction, access: Access, id: int) -> None:
        """Take the promise back. As in the original, of a volume that nobody was promised it does nothing."""
        volume = self._volumes.show(transaction, access, id, lock=True)
        if volume.status == VolumeStatus.ATTACHING:
            self._volumes.put(transaction, access, id, "unreserve", condition=None)

    def begin_detaching(self, transaction: Transaction, access: Access, id: int) -> None:
        volume = self._volumes.show(transaction, access, id, lock=True)
        check_volume("begin-detaching", status=volume.status, uuid=volume.uuid)
        self._volumes.put(transaction, access, id, "begin-detaching", condition=VolumeStatus.DETACHING.value)

    def roll_detaching(self, transaction: Transaction, access: Access, id: int) -> None:
        volume = self._volumes.show(transaction, access, id, lock=True)
        if volume.status == VolumeStatus.DETACHING:
            self._volumes.put(transaction, access, id, "roll-detaching", condition=None)

    def attach(
        self,
        transaction: Transaction,
        access: Access,
        id: int,
        *,
        instance_uuid: str | None,
        host_name: str | None,
        mountpoint: str,
        mode: str,
    ) -> None:
        """Write down that it is attached. Raises WrongStatus; Invalid for a read-only volume."""
        volume = self._volumes.show(transaction, access, id, lock=True)
        check_volume("attach", status=volume.status, uuid=volume.uuid)
        if mode == "rw" and volume.metadata.get("readonly") == "True":
            raise Invalid(field="mode", reason="must be 'ro': the volume is read-only")
        self._insert(
            transaction,
            volume,
            status="attached",
            instance_uuid=instance_uuid,
            host_name=host_name,
            mountpoint=mountpoint,
            mode=mode,
            connector=None,
        )
        self._volumes.put(transaction, access, id, "attach", condition=None)

    def detach(
        self, transaction: Transaction, access: Access, id: int, uuid: str | None, *, force: bool = False
    ) -> None:
        """Forget an attachment; without an id, the only one."""
        volume = self._volumes.show(transaction, access, id, lock=True)
        if not force:
            check_volume("detach", status=volume.status, uuid=volume.uuid)
        ids = [each.uuid for each in volume.attachments]
        if uuid is not None and uuid not in ids:
            raise NotFound(kind="volume attachment", id=uuid)
        if uuid is None and len(ids) > 1:
            raise Invalid(
                field="attachment_id", reason="is needed: the volume is attached to more than one instance"
            )
        for gone in [uuid] if uuid is not None else ids:
            transaction.execute(delete(ATTACHMENT).where(ATTACHMENT.c.uuid == gone))
        self._volumes.put(transaction, access, id, "detach", condition=None)

    # -- the new way: resources of their own ---------------------------------------------------------

    def create(
        self,
        transaction: Transaction,
        access: Access,
        volume_id: int,
        *,
        instance_uuid: str | None,
        mode: str,
        connector: dict[str, Any] | None,
    ) -> AttachmentView:
        """Reserve a volume, and with a connector begin to attach it. Raises WrongStatus."""
        volume = self._volumes.show(transaction, access, volume_id, lock=True)
        verb = "reserve-shared" if volume.multiattach else "reserve"
        check_volume(verb, status=volume.status, uuid=volume.uuid)
        if any(each.instance_uuid == instance_uuid and instance_uuid for each in volume.attachments):
            raise Invalid(field="instance_uuid", reason="has this volume already")
        uuid = self._insert(
            transaction,
            volume,
            status="attaching" if connector else "reserved",
            instance_uuid=instance_uuid,
            host_name=_word(connector, "host"),
            mountpoint=_word(connector, "mountpoint"),
            mode=mode,
            connector=connector,
        )
        self._volumes.put(transaction, access, volume_id, "reserve", condition=None)
        return self.show(transaction, access, uuid)

    def all(
        self, transaction: Transaction, access: Access, *, all_projects: bool = False
    ) -> list[AttachmentView]:
        if all_projects and access.reach is Reach.ALL:
            return views.attachments(transaction)
        return views.attachments(transaction, ATTACHMENT.c.project_id == access.project_id)

    def show(self, transaction: Transaction, access: Access, uuid: str) -> AttachmentView:
        """Raises NotFound."""
        found = views.attachments(transaction, ATTACHMENT.c.uuid == uuid)
        if not found or (access.reach is not Reach.ALL and found[0].project_id != access.project_id):
            raise NotFound(kind="volume attachment", id=uuid)
        return found[0]

    def update(
        self, transaction: Transaction, access: Access, uuid: str, connector: dict[str, Any]
    ) -> AttachmentView:
        """Say from where the volume is going to be used."""
        found = self.show(transaction, access, uuid)
        self._volumes.show(transaction, access, found.volume_id, lock=True)
        values: dict[str, Any] = {
            "connector": connector,
            "host_name": _word(connector, "host"),
            "mountpoint": _word(connector, "mountpoint"),
        }
        if found.status == "reserved":
            values["status"] = "attaching"
        transaction.execute(ATTACHMENT.update().where(ATTACHMENT.c.uuid == uuid).values(**values))
        return self.show(transaction, access, uuid)

    def complete(self, transaction: Transaction, access: Access, uuid: str) -> None:
        """The volume is in use now. Idempotent."""
        found = self.show(transaction, access, uuid)
        self._volumes.show(transaction, access, found.volume_id, lock=True)
        attached = {"status": "attached", "attached_at": found.attached_at or transaction.now}
        transaction.execute(ATTACHMENT.update().where(ATTACHMENT.c.uuid == uuid).values(**attached))
        self._volumes.put(transaction, access, found.volume_id, "attach", condition=None)

    def delete(self, transaction: Transaction, access: Access, uuid: str) -> None:
        """Forget it, however far it is. Raises NotFound."""
        found = self.show(transaction, access, uuid)
        self._volumes.show(transaction, access, found.volume_id, lock=True)
        transaction.execute(delete(ATTACHMENT).where(ATTACHMENT.c.uuid == uuid))
        self._volumes.put(transaction, access, found.volume_id, "detach", condition=None)

    @staticmethod
    def _insert(transaction: Transaction, volume: VolumeView, *, status: str, **values: Any) -> str:
        uuid = transaction.entropy.uuid()
        attached_at = transaction.now if status == "attached" else None
        row = {
            "uuid": uuid,
            "volume_id": volume.id,
            "project_id": volume.project_id,
            "status": status,
            "created_at": transaction.now,
            "attached_at": attached_at,
            **values,
        }
        transaction.execute(ATTACHMENT.insert(), row)
        return uuid


def with_attachments(use_of: UseOf) -> UseOf:
    """The use of a volume by machines of this Stratal, else by those that are written down here."""

    def use(transaction: Transaction, volume_id: int) -> Use | None:
        found = use_of(transaction, volume_id)
        if found is not None:
            return found
        statement = select(func.count()).where(
            ATTACHMENT.c.volume_id == volume_id, ATTACHMENT.c.status == "attached"
        )
        number = transaction.execute(statement).scalar_one()
        return Use(vm_disk_id=None, mapping_num=number, protocol=None) if number else None

    return use


def _word(connector: dict[str, Any] | None, name: str) -> str | None:
    value = (connector or {}).get(name)
    return value[:255] if isinstance(value, str) else None
