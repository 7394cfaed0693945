"""The one place where a declared step becomes a driver's verb. Called by the storage reconcilers."""

from collections.abc import Callable

from stratal.kernel.operation import Operation
from stratal.storage.drivers.contract import LayerDriver, LayerId, LayerInfo, OpenDisk
from stratal.storage.layers.graph import Graph
from stratal.storage.layers.remaining import attention
from stratal.storage.layers.steps import (
    Absorb,
    Adopt,
    CreateChild,
    CreateRoot,
    Delete,
    Flatten,
    Freeze,
    Resize,
    Step,
)


def observe(driver: LayerDriver, graph: Graph) -> dict[LayerId, LayerInfo | None]:
    """The layers that matter now, as they are in the world."""
    return {layer: driver.observe(layer) for layer in attention(graph)}


def carry_out(
    driver: LayerDriver,
    step: Step,
    run: Callable[[Operation], None] = Operation.run,
    *,
    disk: OpenDisk | None = None,
) -> None:
    """Do one step, in this thread. Long operations go through `run`, which may show or cancel them. `disk` is
    the way to the guest that has the layer open.
    """
    match step:
        case CreateRoot():
            run(driver.create_root(step.layer, size_bytes=step.size_bytes, source=step.source))
        case Adopt():
            driver.adopt(step.layer, location=step.location)
        case CreateChild():
            driver.create_child(step.layer, parent=step.parent, size_bytes=step.size_bytes)
        case Freeze():
            driver.freeze(step.layer)
        case Resize():
            driver.resize(step.layer, size_bytes=step.size_bytes, disk=disk)
        case Absorb():
            run(driver.absorb(step.parent, into=step.into, direction=step.direction, disk=disk))
        case Flatten():
            run(driver.flatten(step.layer, onto=step.onto, disk=disk))
        case Delete():
            driver.delete(step.layer)
