"""Makes the graph of a tree real: observe, record, act, again. Called by the reconcile engine.

The only caller of drivers for what changes layers. Whatever it was killed at, it looks at the layers and
goes on from there.
"""

import threading
import time
from collections.abc import Mapping, Set
from datetime import timedelta
from typing import Final

import msgspec

from stratal.kernel import work
from stratal.kernel.effects import Effect
from stratal.kernel.errors import StratalError
from stratal.kernel.reconcile import Gone, Look, Observed
from stratal.kernel.store import Resource, Store
from stratal.kernel.transaction import Transaction
from stratal.storage.background import Background
from stratal.storage.bs_policy.model import BS_POLICY, DEFAULT_CHAIN_LIMIT
from stratal.storage.drivers.contract import LayerDriver, LayerId
from stratal.storage.drivers.errors import BackendUnavailable, LayerBusy, LayerDamaged
from stratal.storage.layers import Delta, Graph, astray, observe, record, remaining
from stratal.storage.lending.lent import Keeper, Lent
from stratal.storage.places import Places
from stratal.storage.tree import rows
from stratal.storage.tree.acting import act, changes
from stratal.storage.tree.chains import too_deep
from stratal.storage.tree.counting import WEIGH_EVERY, Counting, weigh_due
from stratal.storage.tree.model import TREE, TreeSpec, TreeStatus
from stratal.storage.tree.waking import named, standing_on, wake

RECORD = Effect("tree.record")

_ROUNDS: Final = 32
"""Rounds in one look. What remains then waits behind other trees."""

_WHILE_BUSY: Final = timedelta(seconds=60)
"""How long to wait for work in the background, which asks for a look by itself when it ends."""

_COUNT_AFTER: Final = timedelta(seconds=1)
_COUNT_AFTER_PER_LAYER: Final = timedelta(milliseconds=1)
"""How long a tree must have been left alone before it is weighed and counted, and chains are shortened.

That is the one thing that takes longer in a larger tree: some 40 microseconds for each layer.
"""

_PATIENCE_SECONDS: Final = 5.0
"""How long a layer may be in use by somebody else before that is called a problem."""

_PATIENCE_POLL: Final = timedelta(seconds=0.25)

Tree = Resource[TreeSpec, TreeStatus]


class TreeReconciler:
    """Carries out what was decided about the disks of a tree, and tidies up behind it."""

    kind = TREE
    concurrency = 8

    def __init__(self, places: Places, background: Background, lent: Lent, counting: Counting) -> None:
        self._places = places
        self._background = background
        self._lent = lent
        self._counting = counting
        self._store = Store(TREE)
        self._policies = Store(BS_POLICY)
        self._lock = threading.Lock()
        #: since when layers have been found to be in use by others
        self._busy_since: dict[tuple[int, LayerId], float] = {}

    def reconcile(self, resource: Tree, look: Look) -> Observed[TreeStatus]:
        stored = found = look.read(lambda tx: rows.load_loose(tx, resource.id))
        if not stored.graph.layers and look.read(lambda tx: rows.is_empty(tx, resource.id)):
            look.write(lambda tx: self._store.mark(tx, resource.id, {"deletion_begin": tx.now}))
            return Observed(status=msgspec.structs.replace(resource.status, layer_num=0), settled=False)
        try:
            driver = self._places.driver(resource.spec.driver, resource.spec.place)
            stored, problems, remains = self._work(resource, look, stored, driver)
        except BackendUnavailable as error:
            self._note_problems(look, resource.id, stored, dict.fromkeys(stored.graph.unsettled, error))
            raise
        problems, hurry = self._patiently(resource.id, problems)
        self._note_problems(look, resource.id, stored, problems)
        for layer, problem in problems.items():
            if isinstance(problem, StratalError):
                raise problem
            raise LayerDamaged(layer=layer, reason=problem)
        if self._background.look(resource.id).busy:
            return Observed(status=resource.status, settled=False, again_after=_WHILE_BUSY)
        if remains:
            return Observed(
                status=resource.status, settled=False, again_after=None if hurry else _PATIENCE_POLL
            )
        if stored is not found:
            # counting can wait until nothing happens any more; those who wait for their disks cannot
            return Observed(status=resource.status, again_after=_quiet(resource.status.layer_num))
        return self._rest(resource, look, driver)

    def remove(self, resource: Tree, look: Look) -> Gone:
        return Gone()

    # -- working -------------------------------------------------------------------------------------

    def _work(
        self, resource: Tree, look: Look, stored: rows.Stored, driver: LayerDriver
    ) -> tuple[rows.Stored, dict[LayerId, StratalError | str], bool]:
        """Observe, record and act until nothing more can be done now.

        Returns the tree as it is then, what stands in the way, and whether anything remains.
        """
        failed: dict[LayerId, StratalError] = {}
        for _ in range(_ROUNDS):
            busy = self._background.look(resource.id).busy
            observed = observe(driver, stored.graph)
            if not stored.whole and astray(stored.graph, observed):
                stored = look.read(lambda tx: rows.load(tx, resource.id))
                continue
            for layer in busy & stored.graph.hidden:
                if not stored.graph.children(layer):
                    self._background.cancel(layer)  # nobody needs it any more
            # what is being made is not there yet, and would be taken for what is there no more
            at_rest = {layer: info for layer, info in observed.items() if layer not in busy}
            graph, delta = record(stored.graph, at_rest)
            if delta != Delta():
                stored = self._apply(look, resource.id, stored, graph, delta)
                continue  # with what was recorded, other layers may have come into view
            outstanding = remaining(stored.graph, observed, stored.weigh)
            wanted = frozenset(changes(step) for step in outstanding.steps)
            self._background.forget_failures(resource.id, wanted)
            acted = act(
                outstanding.steps,
                tree_id=resource.id,
                driver=driver,
                background=self._background,
                lent=self._lent,
                check=look.check,
            )
            if acted.keepers:
                look.write(lambda tx, keepers=acted.keepers: _ask(tx, keepers))
            failed = acted.failed
            if not acted.done:
                problems: dict[LayerId, StratalError | str] = {
                    problem.layer: problem.reason for problem in outstanding.problems
                }
                resting = self._background.look(resource.id).failed
                return stored, problems | resting | failed, len(outstanding.steps) > acted.left
        return stored, dict(failed), True

    def _apply(
        self, look: Look, tree_id: int, stored: rows.Stored, graph: Graph, delta: Delta
    ) -> rows.Stored:
        """Store what was observed or decided here, unless somebody decided otherwise about the same layers.

        Returns the tree as it is after that.
        """
        touched = [layer.id for layer in delta.layers] + list(delta.gone)
        self._counting.forget(tree_id)

        def write(transaction: Transaction) -> bool:
            self._store.get(transaction, tree_id, lock=True, labels=False)
            if not rows.unchanged(transaction, stored.layers, touched):
                return False
            rows.store(transaction, tree_id, delta)
            wake(transaction, named(graph, (layer.id for layer in delta.layers)))
            return True

        with RECORD:
            agreed = look.write(write)
        return stored.after(graph, delta) if agreed else look.read(lambda tx: rows.load_loose(tx, tree_id))

    def _patiently(
        self, tree_id: int, problems: Mapping[LayerId, StratalError | str]
    ) -> tuple[dict[LayerId, StratalError | str], bool]:
        """Without the layers that are in use but for a moment: by a tool that ends, by what is reclaimed.

        Returns the others, and whether there was no such layer.
        """
        now = time.monotonic()
        busy = {(tree_id, id) for id, problem in problems.items() if isinstance(problem, LayerBusy)}
        with self._lock:
            for key in [key for key in self._busy_since if key[0] == tree_id and key not in busy]:
                del self._busy_since[key]
            since = {key[1]: self._busy_since.setdefault(key, now) for key in busy}
        brief = {id for id, began in since.items() if now - began < _PATIENCE_SECONDS}
        return {id: problem for id, problem in problems.items() if id not in brief}, not brief

    def _note_problems(
        self,
        look: Look,
        tree_id: int,
        stored: rows.Stored,
        problems: Mapping[LayerId, StratalError | str],
    ) -> None:
        """Tell those who need a layer that something is wrong with it, or is so no longer."""
        news: dict[LayerId, str | None] = {
            id: problem
            for id, placed in stored.layers.items()
            if (problem := str(problems[id]) if id in problems else None) != placed.problem
        }
        if news:
            look.write(lambda tx: self._tell_of(tx, tree_id, news))

    @staticmethod
    def _tell_of(transaction: Transaction, tree_id: int, news: Mapping[LayerId, str | None]) -> None:
        rows.note_problems(transaction, news)
        wake(transaction, standing_on(rows.load(transaction, tree_id).graph, news))

    # -- at rest -------------------------------------------------------------------------------------

    def _rest(self, resource: Tree, look: Look, driver: LayerDriver) -> Observed[TreeStatus]:
        now, stored = look.read(lambda tx: (tx.now, rows.load(tx, resource.id)))
        everything = weigh_due(resource.status.weighed_at, now)
        allocated = self._counting.count(look, stored, driver, tree_id=resource.id, all_heads=everything)
        status = msgspec.structs.replace(
            resource.status,
            layer_num=len(stored.graph.layers),
            allocated_byte=allocated,
            weighed_at=now if everything else resource.status.weighed_at,
        )
        if not stored.graph.layers:
            return Observed(status=status, settled=False)
        plan = too_deep(stored, driver, limit=self._chain_limit(look, resource))
        if plan is not None:
            self._apply(look, resource.id, stored, plan.graph, plan.delta)
            return Observed(status=status, settled=False)
        return Observed(status=status, again_after=WEIGH_EVERY)

    def _chain_limit(self, look: Look, resource: Tree) -> int:
        policy = look.read(lambda tx: self._policies.get(tx, resource.spec.bs_policy_id, labels=False))
        return DEFAULT_CHAIN_LIMIT if policy is None else policy.spec.chain_limit


def _quiet(layers: int) -> timedelta:
    """How long a tree of so many layers must have been left alone."""
    return _COUNT_AFTER + layers * _COUNT_AFTER_PER_LAYER


def _ask(transaction: Transaction, keepers: Set[Keeper]) -> None:
    """Ask those for a look who drive the guests that have layers open."""
    for kind, id in keepers:
        work.ask(transaction, kind, id)
