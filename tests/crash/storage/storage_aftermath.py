"""What must be there after a life of disks was cut short. Called by the crash suites of all drivers."""

import itertools

from crash_programs import Ended
from sqlalchemy import select
from storage_life import CLUSTER, Deed, World, expected, installation, names_of

from storage_installation import Installation, eventually
from stratal.kernel.work import WORK


def check(ended: Ended, url: str, place: str) -> None:
    """Start anew, with no other means than an engine: all acknowledged deeds were done, and nothing is left
    over of any."""
    world, open_deed = expected(ended.output)
    with installation(url, place) as here:
        here.at_rest(60)
        _check_content(here, world, open_deed)
        check_nothing_over(here)
        _erase_everything(here)


def _check_content(here: Installation, world: World, open_deed: Deed | None) -> None:
    possible = [world] if open_deed is None else [world, world.after(open_deed)]
    volumes = {name: here.read(here.volumes, id) for name, id in names_of(here, here.volumes).items()}
    snapshots = {name: here.read(here.snaps, id) for name, id in names_of(here, here.snaps).items()}
    if open_deed is not None and open_deed.what == "write" and open_deed.name in volumes:
        # a write that was not acknowledged may be there in part, and nowhere else
        begin = open_deed.at * CLUSTER
        kept = world.volumes[open_deed.name][begin : begin + CLUSTER]
        content = bytearray(volumes[open_deed.name])
        content[begin : begin + CLUSTER] = kept
        volumes[open_deed.name] = bytes(content)
    assert any(_digest(each.volumes, each.snapshots) == _digest(volumes, snapshots) for each in possible), (
        open_deed,
        [_digest(each.volumes, each.snapshots) for each in possible],
        _digest(volumes, snapshots),
    )


def _digest(volumes: dict[str, bytes], snapshots: dict[str, bytes]) -> dict[str, str]:
    """The letter in each cluster of each disk; a dot where it is empty, a question mark where it is mixed."""

    def letters(content: bytes) -> str:
        clusters = (content[at : at + CLUSTER] for at in range(0, len(content), CLUSTER))
        return "".join(_letter(cluster) for cluster in clusters)

    return {name: letters(content) for name, content in itertools.chain(volumes.items(), snapshots.items())}


def _letter(cluster: bytes) -> str:
    values = set(cluster)
    if len(values) > 1:
        return "?"
    return chr(values.pop()) if values != {0} else "."


def check_nothing_over(here: Installation) -> None:
    """The place holds the layers of the rows, all sound, and nothing else; nobody holds a lease."""
    driver = here.driver()

    def nothing_over() -> bool:
        here.storage.reclaim()  # again and again, as it is done: an image may still count as open for a while
        return driver.survey().leftovers == ()

    eventually(nothing_over, 60)
    survey = driver.survey()
    assert set(survey.layers) == here.stored_layers()
    for layer in survey.layers:
        report = driver.check(layer)
        assert report.sound, report
    leased = select(WORK).where(WORK.c.owner.is_not(None))
    eventually(lambda: not here.database.read(lambda tx: tx.execute(leased).fetchall()))


def _erase_everything(here: Installation) -> None:
    for service in (here.snaps, here.volumes):
        ids = names_of(here, service).values()
        for id in ids:
            here.delete(service, id)
        for id in ids:
            here.gone(service, id)
    eventually(lambda: not here.stored_layers())
