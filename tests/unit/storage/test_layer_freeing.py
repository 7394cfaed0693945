"""What a deletion is said to free is what it frees."""

import random
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from layer_planning import head, layer_id, snap

from stratal.storage import layers
from stratal.storage.drivers.simulated import SimulatedDriver
from stratal.storage.layers import Graph, Name, Plan

SIZE = 200


class Storage:
    """A driver that is kept as its graph wants it."""

    def __init__(self) -> None:
        self.driver = SimulatedDriver()
        self.graph = Graph.of()

    def carry_out(self, plan: Plan) -> None:
        self.graph = plan.graph
        while True:
            self.graph, _ = layers.record(self.graph, layers.observe(self.driver, self.graph))
            observed = layers.observe(self.driver, self.graph)
            steps = layers.remaining(self.graph, observed, self.weigh).steps
            if not steps:
                return
            for step in steps:
                layers.carry_out(self.driver, step)

    def weigh(self, layer: str) -> int:
        return self.driver.usage(layer_id(layer)).allocated_bytes

    def account(self) -> Mapping[Name, layers.Account]:
        return layers.account(
            self.graph,
            allocated={layer: self.weigh(layer) for layer in self.graph.layers},
            covered={layer: self.driver.covered(layer, by=by) for layer, by in layers.covers(self.graph)},
            owner=lambda name: name,
        ).by_owner

    def is_alone(self, name: Name) -> bool:
        """Whether nothing but the name's own layer can come free with it: what it hangs on has a name."""
        parent = self.graph.named(name).parent
        return parent is None or parent not in self.graph.hidden


@given(st.randoms(use_true_random=False), st.integers(1, 15))
def test_the_bytes_a_deletion_frees_are_those_that_were_announced(chance: random.Random, moves: int) -> None:
    storage = Storage()
    graph_before = storage.graph
    storage.carry_out(layers.create(graph_before, name=head("v"), layer=layer_id("v"), size_bytes=SIZE))
    for move in range(moves):
        volumes = [name for name in storage.graph.names if name.kind is layers.NameKind.HEAD]
        snapshots = [name for name in storage.graph.names if name.kind is not layers.NameKind.HEAD]
        volume, new = chance.choice(volumes), layer_id(f"layer-{move}")
        with storage.driver.open_writing(storage.graph.named(volume).id) as writer:
            for _ in range(3):
                start = chance.randrange(SIZE)
                end = chance.randrange(start, SIZE) + 1
                if chance.random() < 0.3:
                    writer.zero(start, end - start)
                else:
                    writer.write(start, b"x" * (end - start))
        match chance.choice(["snapshot", "clone", "rollback", "share"]):
            case "clone" if snapshots:
                plan = layers.clone(
                    storage.graph, source=chance.choice(snapshots), name=head(str(move)), layer=new
                )
            case "rollback" if snapshots:
                plan = layers.rollback(storage.graph, head=volume, to=chance.choice(snapshots), new_head=new)
            case "share" if snapshots:
                plan = layers.share(storage.graph, source=chance.choice(snapshots), name=snap(str(move)))
            case _:
                plan = layers.snapshot(storage.graph, head=volume, name=snap(str(move)), new_head=new)
        storage.carry_out(plan)
    while storage.graph.names:
        name = chance.choice(list(storage.graph.names))
        announced, before = storage.account()[name].exclusive_bytes, storage.driver.place.used_bytes
        alone = storage.is_alone(name) or storage.graph.children(storage.graph.named(name).id)
        storage.carry_out(layers.drop(storage.graph, name=name))
        freed = before - storage.driver.place.used_bytes
        # with the last clone but one of a deleted snapshot, what the last one had written over goes as well
        assert freed == announced if alone else freed >= announced
    assert storage.driver.place.used_bytes == 0
