"""Layers in memory, made again after a restart: empty, but there. Called by the facade when it starts.

Only for places that forget what they hold when the process ends, as simulated ones do. Everywhere else a
layer that is gone is lost, and is never made a second time.
"""

from dataclasses import replace

from stratal.kernel.database import Database
from stratal.kernel.store import Resource, Store
from stratal.storage.layers import Graph, State, attention, carry_out, remaining
from stratal.storage.places import Places
from stratal.storage.tree import rows
from stratal.storage.tree.model import TREE, TreeSpec, TreeStatus


def remake(database: Database, places: Places) -> None:
    """Make every layer that was there when the last process ended, where that ended with it."""
    trees = database.read(lambda tx: Store(TREE).find(tx, labels=False))
    for tree in trees:
        if places.forgets(tree.spec.driver):
            _remake_tree(database, places, tree)


def _remake_tree(database: Database, places: Places, tree: Resource[TreeSpec, TreeStatus]) -> None:
    stored = database.read(lambda tx: rows.load(tx, tree.id)).graph
    driver = places.driver(tree.spec.driver, tree.spec.place)
    there = [layer for layer in stored.layers.values() if layer.state is not State.PLANNED]
    known = {layer.id for layer in there}
    anew = Graph.of(
        (replace(layer, state=State.PLANNED, origin=None) for layer in there),
        {name: layer for name, layer in stored.names.items() if layer in known},
    )
    for step in remaining(anew, dict.fromkeys(attention(anew)), lambda _: 0).steps:
        carry_out(driver, step)
