"""Carrying out what remains: quick steps here and now, long ones in the background. Called by the reconciler.

A step waits while something it needs is busy, was put off or failed; all others go on. So a merge that
takes an hour holds up no snapshot on another layer of the same tree.

What a running guest has open is changed through its hypervisor only. Merges and growth go through its disk;
a snapshot, which is one instant for all disks of a guest, is left to its keeper.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from stratal.kernel.errors import StratalError
from stratal.storage.background import Background
from stratal.storage.drivers.contract import LayerDriver, LayerId
from stratal.storage.drivers.errors import LayerBusy
from stratal.storage.layers import (
    Absorb,
    CreateChild,
    CreateRoot,
    Flatten,
    Freeze,
    Resize,
    Step,
    carry_out,
)
from stratal.storage.lending.lent import Keeper, Lent, Loan


@dataclass(kw_only=True)
class Acted:
    """What became of some steps."""

    #: steps that were carried out
    done: int = 0
    #: layers with something left that nobody is at
    put_off: set[LayerId] = field(default_factory=set[LayerId])
    #: what failed, by the layer that it was to change
    failed: dict[LayerId, StratalError] = field(default_factory=dict[LayerId, StratalError])
    #: who must do what cannot be done here
    keepers: set[Keeper] = field(default_factory=set[Keeper])
    #: steps that wait for a guest: for its keeper, or for its end
    left: int = 0


def act(
    steps: Iterable[Step],
    *,
    tree_id: int,
    driver: LayerDriver,
    background: Background,
    lent: Lent,
    check: Callable[[], None],
) -> Acted:
    """Do what can be done now. `check` is called before each step, and stops everything by raising."""
    acted = Acted()
    busy = background.look(tree_id).busy
    stuck: set[LayerId] = set()
    left: set[LayerId] = set()
    for step in steps:
        layer, needs = changes(step), _needs(step)
        if layer in left or needs & left:
            left.add(layer)
            acted.left += 1
            continue
        if layer in busy or layer in stuck or needs & stuck or (is_long(step) and needs & busy):
            stuck.add(layer)
            continue
        check()
        try:
            with lent.turn(tree_id):
                loan = _in_the_way(step, driver, lent)
                if loan is not None and not _goes_through_guest(step, loan):
                    left.add(layer)
                    acted.left += 1
                    if isinstance(step, Freeze):
                        acted.keepers.add(loan.keeper)
                    continue
                disk = loan.disk if loan else None
                if is_long(step):
                    background.start(tree_id, driver, step, key=layer, touches=needs, disk=disk)
                    stuck.add(layer)
                    continue
                carry_out(driver, step, disk=disk)
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


def _in_the_way(step: Step, driver: LayerDriver, lent: Lent) -> Loan | None:
    """The loan that keeps a step from being done as if no guest ran; of several, one that can't be asked."""
    match step:
        case Absorb() | Flatten():
            loans = lent.at(changes(step)) if driver.traits.merging_moves_data else []
        case Resize():
            loans = lent.at(step.layer)
        case Freeze():
            # where its guest has gone on in another layer, it may be done here
            loans = [loan for loan in lent.at(step.layer) if loan.top in (None, step.layer)]
        case _:
            loans = []
    unknown = [loan for loan in loans if loan.disk is None]
    if len(loans) > 1 and not unknown:
        return replace(loans[0], disk=None)  # two guests read it: neither can change it alone
    return next(iter(unknown or loans), None)


def _goes_through_guest(step: Step, loan: Loan) -> bool:
    if loan.disk is None or isinstance(step, Freeze):
        return False
    return isinstance(step, Absorb) or loan.top == changes(step)


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
