"""Carrying out what remains: quick steps here and now, long ones in the background. Called by the reconciler.

A step waits while something it needs is busy, was put off or failed; all others go on. So a merge that
takes an hour holds up no snapshot on another layer of the same tree.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from stratal.kernel.errors import StratalError
from stratal.storage.background import Background
from stratal.storage.drivers.contract import LayerDriver, LayerId
from stratal.storage.drivers.errors import LayerBusy
from stratal.storage.layers import Absorb, CreateChild, CreateRoot, Flatten, Step, carry_out


@dataclass(kw_only=True)
class Acted:
    """What became of some steps."""

    #: steps that were carried out
    done: int = 0
    #: layers with something left that nobody is at
    put_off: set[LayerId] = field(default_factory=set[LayerId])
    #: what failed, by the layer that it was to change
    failed: dict[LayerId, StratalError] = field(default_factory=dict[LayerId, StratalError])


def act(
    steps: Iterable[Step],
    *,
    tree_id: int,
    driver: LayerDriver,
    background: Background,
    check: Callable[[], None],
) -> Acted:
    """Do what can be done now. `check` is called before each step, and stops everything by raising."""
    acted = Acted()
    busy = background.look(tree_id).busy
    stuck: set[LayerId] = set()
    for step in steps:
        layer, needs = changes(step), _needs(step)
        if layer in busy or layer in stuck or needs & stuck or (is_long(step) and needs & busy):
            stuck.add(layer)
            continue
        check()
        if is_long(step):
            background.start(tree_id, driver, step, key=layer, touches=needs)
            stuck.add(layer)
            continue
        try:
            carry_out(driver, step)
            acted.done += 1
        except LayerBusy as error:
            stuck.add(layer)
            if busy or background.look(tree_id).busy:
                acted.put_off.add(layer)  # most likely by our own work, which wakes us when it ends
            else:
                acted.failed[layer] = error
        except StratalError as error:
            stuck.add(layer)
            acted.failed[layer] = error
    return acted


def changes(step: Step) -> LayerId:
    """The layer that a step changes. Of a merge it is the one that stays."""
    return step.into if isinstance(step, Absorb) else step.layer


def is_long(step: Step) -> bool:
    """Whether a step moves data, and so takes a time that grows with it."""
    return isinstance(step, Absorb | Flatten) or (isinstance(step, CreateRoot) and step.source is not None)


def _needs(step: Step) -> frozenset[LayerId]:
    """The other layers that a step can't do without, or takes away."""
    match step:
        case CreateChild():
            return frozenset({step.parent})
        case Absorb():
            return frozenset({step.parent})
        case Flatten():
            return frozenset({step.onto}) if step.onto else frozenset()
        case _:
            return frozenset()
