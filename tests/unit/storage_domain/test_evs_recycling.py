"""The recycle bin is emptied when its time has come, messages tell of trouble, and jobs when they ended."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from storage_installation import ADMIN, MEMBER, NEIGHBOUR, Installation
from stratal.kernel.errors import NotFound
from stratal.kernel.journal import Level, record_event
from stratal.storage.block.jobs import KEPT, JobKind, JobStatus
from stratal.storage.block.model import DISMISSED, JOB, RECYCLED
from stratal.storage.block.recycling import RecyclePolicy
from stratal.storage.block.states import WrongStatus
from waiting import eventually


def _keep(at: Installation, **policy: Any) -> None:
    wanted = RecyclePolicy(**{"switch": True, "threshold_time": 0, "keep_time": 7, **policy})
    at.database.write(lambda tx: at.storage.block.recycle_bin.set_policy(tx, MEMBER, wanted))


def _recycle(at: Installation, id: int) -> bool:
    return at.database.write(lambda tx: at.storage.block.recycle_bin.put(tx, MEMBER, id))


def _binned(at: Installation) -> list[int]:
    found = at.database.read(lambda tx: at.storage.block.recycle_bin.all(tx, MEMBER))
    return [each.volume.id for each in found]


def _expire(at: Installation, id: int) -> None:
    past = at.database.clock.now() - timedelta(seconds=1)
    statement = RECYCLED.update().where(RECYCLED.c.volume_id == id).values(expires_at=past)
    at.database.write(lambda tx: tx.execute(statement))


def _is_there(at: Installation, id: int) -> bool:
    try:
        at.show(at.volumes, id)
    except NotFound:
        return False
    return True


def test_the_bin_is_emptied_of_what_was_kept_for_long_enough(anywhere: Installation) -> None:
    _keep(anywhere)
    old, young = (anywhere.volume(name, access=MEMBER) for name in ("old", "young"))
    snapshot = anywhere.create(anywhere.snaps, MEMBER, name="s", bs_volume_id=old)
    anywhere.active(anywhere.snaps, snapshot.id)
    assert _recycle(anywhere, old)
    assert _recycle(anywhere, young)
    _expire(anywhere, old)
    anywhere.storage.block.recycle_bin.empty()
    eventually(lambda: not _is_there(anywhere, old))
    assert _binned(anywhere) == [young]
    assert _is_there(anywhere, young)


def test_what_another_face_deleted_meanwhile_leaves_the_bin(here: Installation) -> None:
    _keep(here)
    id = here.volume(access=MEMBER)
    _recycle(here, id)
    here.delete(here.volumes, id)
    eventually(lambda: not _is_there(here, id))
    assert _binned(here) == []
    _expire(here, id)
    here.storage.block.recycle_bin.empty()
    left = here.database.read(lambda tx: tx.execute(select(func.count()).select_from(RECYCLED)).scalar_one())
    assert left == 0


def test_volumes_go_at_once_where_nobody_wants_them_kept_or_they_are_too_young(here: Installation) -> None:
    id = here.volume(access=MEMBER)
    assert not _recycle(here, id)
    _keep(here, threshold_time=1)
    assert not _recycle(here, id)
    with pytest.raises(NotFound):
        here.database.write(lambda tx: here.storage.block.recycle_bin.put(tx, NEIGHBOUR, id))
    assert _binned(here) == []


def test_an_attached_volume_is_not_put_into_the_bin(here: Installation) -> None:
    _keep(here)
    id = here.volume(access=MEMBER)
    block = here.storage.block
    here.database.write(
        lambda tx: block.attachments.attach(
            tx, MEMBER, id, instance_uuid="x", host_name=None, mountpoint="", mode="rw"
        )
    )
    with pytest.raises(WrongStatus):
        _recycle(here, id)


def test_messages_are_the_projects_troubles_and_can_be_dismissed(anywhere: Installation) -> None:
    id = anywhere.volume(access=MEMBER)

    def tell(level: Level, project_id: int) -> None:
        anywhere.database.write(
            lambda tx: record_event(
                tx,
                "trouble",
                message=f"of {project_id}",
                level=level,
                resource_type="bs_volume",
                resource_id=id,
                project_id=project_id,
            )
        )

    tell(Level.INFO, 1)
    tell(Level.ERROR, 1)
    tell(Level.ERROR, 2)
    messages = anywhere.storage.block.messages
    [found] = anywhere.database.read(lambda tx: messages.all(tx, MEMBER))
    assert (found.text, found.kind) == ("of 1", "bs_volume")
    assert found.resource_uuid is not None
    with pytest.raises(NotFound):
        anywhere.database.write(lambda tx: messages.dismiss(tx, NEIGHBOUR, found.id))
    anywhere.database.write(lambda tx: messages.dismiss(tx, MEMBER, found.id))
    assert anywhere.database.read(lambda tx: messages.all(tx, MEMBER)) == []
    with pytest.raises(NotFound):
        anywhere.database.write(lambda tx: messages.dismiss(tx, MEMBER, found.id))
    kept = anywhere.database.read(lambda tx: tx.execute(select(DISMISSED.c.event_id)).scalars().all())
    assert list(kept) == [found.id]


def test_a_job_ends_when_its_volumes_have_what_it_was_for(anywhere: Installation) -> None:
    id, jobs = anywhere.volume(access=MEMBER), anywhere.storage.block.jobs

    def extend(tx: Any) -> str:
        anywhere.storage.block.volumes.extend(tx, MEMBER, id, 2, attached=False)
        return jobs.write_down(tx, MEMBER, JobKind.EXTEND, [id])

    uuid = anywhere.database.write(extend)

    def show() -> Any:
        return anywhere.database.read(lambda tx: jobs.show(tx, MEMBER, uuid))

    eventually(lambda: show().status is JobStatus.SUCCESS)
    anywhere.active(anywhere.volumes, id)
    ended = show().ended_at
    assert ended >= show().created_at
    assert ended == show().ended_at <= anywhere.database.clock.now()
    old = JOB.update().values(created_at=anywhere.database.clock.now() - KEPT - timedelta(days=1))
    anywhere.database.write(lambda tx: tx.execute(old))
    assert anywhere.database.write(jobs.forget_old) == 1
    with pytest.raises(NotFound):
        show()


def test_a_project_that_chose_no_default_type_has_the_oldest(here: Installation) -> None:
    types, gold = here.storage.block.types, here.policy(name="gold")
    here.database.write(lambda tx: types.set_default(tx, ADMIN, 1, gold))
    assert here.database.read(lambda tx: types.default(tx, 1)) == gold
    assert here.database.read(lambda tx: types.default(tx, 2)) == here.default_policy
    here.database.write(lambda tx: types.set_default(tx, ADMIN, 1, None))
    assert here.database.read(lambda tx: types.default(tx, 1)) == here.default_policy
