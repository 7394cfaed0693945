"""What the layers of a resource say about it. Called by the reconcilers of volumes and snapshots."""

from collections.abc import Sequence
from typing import Any

from stratal.kernel.journal import Level, record_event
from stratal.kernel.reconcile import Look
from stratal.kernel.store import Resource
from stratal.storage.tree.rows import Placed


def first_problem(path: Sequence[Placed]) -> str | None:
    """What is wrong with the topmost layer that anything is wrong with."""
    return next((placed.problem for placed in path if placed.problem is not None), None)


def made_for(path: Sequence[Placed], volume_id: int) -> bool:
    """Whether all of these layers were made for this volume: nothing is shared with where it came from."""
    return all(placed.volume_id == volume_id for placed in path)


def tell(look: Look, resource: Resource[Any, Any], problem: str | None) -> None:
    """An event when a problem comes, changes or goes."""
    if problem == resource.status.problem:
        return
    kind, name = resource.kind.name, resource.spec.name
    look.write(
        lambda tx: record_event(
            tx,
            f"{kind}_recovered" if problem is None else f"{kind}_stuck",
            level=Level.INFO if problem is None else Level.WARNING,
            message=f"{name} is in order again" if problem is None else f"{name}: {problem}",
            resource_type=kind,
            resource_id=resource.id,
            resource_name=name,
            project_id=resource.spec.project_id,
        )
    )
