"""Any sequence of decisions, carried out by a real driver and killed anywhere, against a model of bytes.

The machine plays a reconciler: it persists each decision's delta, acts, dies at crash points, observes and
records. Subclass it with a driver's `make_driver` and `reopen`, and take its `TestCase`.
"""

import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stratal.kernel import effects
from stratal.storage import layers
from stratal.storage.drivers.contract import LayerDriver, LayerId, Source
from stratal.storage.layers import Delta, Graph, Layer, Name, NameKind, Plan, State

pick = st.integers(0, 10**6)
units = st.integers(0, 15)


class Killed(BaseException):
    """Stands for the SIGKILL at a crash point."""


class LayerGraphMachine(RuleBasedStateMachine):
    #: of a volume, in units
    UNITS: ClassVar[int] = 16
    #: bytes of a unit
    UNIT: ClassVar[int] = 8
    #: writes start up to so many bytes, less one, before a unit
    SLACK: ClassVar[int] = 3

    def make_driver(self) -> LayerDriver:
        raise NotImplementedError

    def reopen(self, driver: LayerDriver) -> LayerDriver:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.driver = self.make_driver()
        self.stored_layers: dict[LayerId, Layer] = {}
        self.stored_names: dict[Name, LayerId] = {}
        self.graph = Graph.of()
        #: what each name must read
        self.content: dict[Name, bytes] = {}
        self.numbers = itertools.count(1)
        self.folder = tempfile.TemporaryDirectory()
        self.volume(units=0)

    def teardown(self) -> None:
        if hasattr(self, "driver"):
            self.finish()
            for name in list(self.content):
                self.decide(layers.drop(self.graph, name=name))
                del self.content[name]
            self.finish()
            assert self.driver.survey().layers == {}
            self.folder.cleanup()

    # Decisions

    @rule(units=units)
    def volume(self, units: int) -> None:
        name = self.new_name(NameKind.HEAD)
        size = (self.UNITS + units % 3) * self.UNIT
        self.decide(layers.create(self.graph, name=name, layer=self.new_layer(), size_bytes=size))
        self.content[name] = bytes(size)

    @rule(units=units)
    def image(self, units: int) -> None:
        name = self.new_name(NameKind.IMAGE)
        size = self.UNITS * self.UNIT
        content = bytes((units + 1) * at % 251 for at in range(size - units * self.UNIT // 3 // 512 * 512))
        path = Path(self.folder.name) / name.id
        path.write_bytes(content)
        self.decide(
            layers.create(
                self.graph,
                name=name,
                layer=self.new_layer(),
                size_bytes=size,
                origin=Source.file(path, format="raw"),
            )
        )
        self.content[name] = content.ljust(size, b"\0")

    @precondition(lambda self: self.heads())
    @rule(which=pick, kind=st.sampled_from([NameKind.SNAPSHOT, NameKind.CUT]))
    def snapshot(self, which: int, kind: NameKind) -> None:
        head, name = self.one(self.heads(), which), self.new_name(kind)
        self.decide(layers.snapshot(self.graph, head=head, name=name, new_head=self.new_layer()))
        self.content[name] = self.content[head]

    @precondition(lambda self: self.frozen())
    @rule(which=pick, growth=st.sampled_from([0, 0, 1, 2]))
    def clone(self, which: int, growth: int) -> None:
        source, name = self.one(self.frozen(), which), self.new_name(NameKind.HEAD)
        size = len(self.content[source]) + growth * self.UNIT
        self.decide(
            layers.clone(self.graph, source=source, name=name, layer=self.new_layer(), size_bytes=size)
        )
        self.content[name] = self.content[source].ljust(size, b"\0")

    @precondition(lambda self: self.heads())
    @rule(which=pick)
    def clone_volume(self, which: int) -> None:
        source, name = self.one(self.heads(), which), self.new_name(NameKind.HEAD)
        self.decide(
            layers.clone(
                self.graph,
                source=source,
                name=name,
                layer=self.new_layer(),
                new_head=self.new_layer(),
            )
        )
        self.content[name] = self.content[source]

    @precondition(lambda self: self.heads() and self.frozen())
    @rule(which=pick, to=pick)
    def rollback(self, which: int, to: int) -> None:
        head, moment = self.one(self.heads(), which), self.one(self.frozen(), to)
        self.decide(layers.rollback(self.graph, head=head, to=moment, new_head=self.new_layer()))
        self.content[head] = self.content[moment]

    @precondition(lambda self: self.frozen())
    @rule(which=pick)
    def share(self, which: int) -> None:
        source, name = self.one(self.frozen(), which), self.new_name(NameKind.IMAGE)
        self.decide(layers.share(self.graph, source=source, name=name))
        self.content[name] = self.content[source]

    @precondition(lambda self: self.content)
    @rule(which=pick)
    def drop(self, which: int) -> None:
        name = self.one(list(self.content), which)
        self.decide(layers.drop(self.graph, name=name))
        del self.content[name]

    @precondition(lambda self: self.content)
    @rule(which=pick)
    def flatten(self, which: int) -> None:
        name = self.one(list(self.content), which)
        if self.graph.named(name).state is not State.PLANNED:
            self.decide(layers.flatten(self.graph, name=name))

    @precondition(lambda self: self.heads())
    @rule(which=pick, growth=st.integers(0, 2))
    def resize(self, which: int, growth: int) -> None:
        head = self.one(self.heads(), which)
        size = len(self.content[head]) + growth * self.UNIT
        self.decide(layers.resize(self.graph, head=head, size_bytes=size))
        self.content[head] = self.content[head].ljust(size, b"\0")

    @precondition(lambda self: self.content)
    @rule(which=pick, limit=st.integers(1, 4))
    def collapse(self, which: int, limit: int) -> None:
        name = self.one(list(self.content), which)
        plan = layers.collapse(self.graph, name=name, limit=limit, weigh=self.weigh)
        if plan is None:
            assert layers.depth(self.graph, name) <= limit or self.graph.unsettled
        else:
            self.decide(plan)
            assert layers.depth(self.graph, name) <= limit

    # The world

    @precondition(lambda self: self.heads())
    @rule(which=pick, unit=units, length=st.integers(1, 3), seed=st.integers(1, 255), zero=st.booleans())
    def write(self, which: int, unit: int, length: int, seed: int, zero: bool) -> None:
        head = self.one(self.heads(), which)
        self.work_until(lambda: self.graph.named(head).state is State.SETTLED)
        content = bytearray(self.content[head])
        start = max(0, unit * self.UNIT - seed % self.SLACK)
        data = b"" if zero else bytes((seed + at) % 255 + 1 for at in range(length * self.UNIT))
        end = min(len(content), start + length * self.UNIT)
        with self.driver.open_writing(self.graph.named(head).id) as writer:
            if zero:
                writer.zero(start, end - start)
            else:
                writer.write(start, data[: end - start])
        content[start:end] = data[: end - start].ljust(end - start, b"\0")
        self.content[head] = bytes(content)

    @rule(steps=st.integers(0, 3))
    def work_a_little(self, steps: int) -> None:
        """Some steps; then the process dies before it records them."""
        for step in layers.remaining(self.graph, self.observe(), self.weigh).steps[:steps]:
            layers.carry_out(self.driver, step)
        self.driver = self.reopen(self.driver)

    @rule(point=st.integers(1, 12))
    def work_and_die(self, point: int) -> None:
        """Die at the n-th crash point from here, in the middle of whatever step that is."""
        left = [point]

        def passing(name: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed(name)

        original = effects._pass
        effects._pass = passing
        try:
            self.work_until(lambda: False)
        except Killed:
            self.driver = self.reopen(self.driver)
        finally:
            effects._pass = original

    @rule()
    def record(self) -> None:
        self.persist(*layers.record(self.graph, self.observe()))

    @rule()
    def reclaim(self) -> None:
        self.driver.reclaim()

    @rule()
    def finish(self) -> None:
        self.work_until(lambda: False)
        assert not self.graph.unsettled
        survey = self.driver.survey()
        assert set(survey.layers) == set(self.graph.layers)
        for info in survey.layers.values():
            layer = self.graph.layer(info.layer)
            assert (info.parent, info.frozen, info.size_bytes) == (
                layer.parent,
                layer.frozen,
                layer.size_bytes,
            )
            needed = self.graph.names_of(info.layer) or len(self.graph.children(info.layer)) > 1
            assert needed, "every layer is reachable from a name, or was merged or removed"
        self.driver.reclaim()
        assert self.driver.survey().leftovers == ()
        for name, expected in self.content.items():
            assert self.read(self.graph.named(name).id) == expected

    @invariant()
    def every_name_reads_what_it_should(self) -> None:
        for name, expected in self.content.items():
            layer = self.graph.named(name)
            assert layer.size_bytes == len(expected)
            if self.driver.observe(layer.id) is None:
                assert layer.state is State.PLANNED
            else:
                # It may be about to grow still.
                assert self.read(layer.id).ljust(len(expected), b"\0") == expected

    @invariant()
    def what_is_stored_is_the_graph(self) -> None:
        again = Graph.of(self.stored_layers.values(), self.stored_names)
        assert again.layers == self.graph.layers
        assert again.names == self.graph.names
        assert again.hidden == self.graph.hidden
        assert again.unsettled == self.graph.unsettled
        for layer in again.layers:
            assert again.children(layer) == self.graph.children(layer)
            assert again.names_of(layer) == self.graph.names_of(layer)

    # How

    def heads(self) -> list[Name]:
        return [name for name in self.content if name.kind is NameKind.HEAD]

    def frozen(self) -> list[Name]:
        return [name for name in self.content if name.kind is not NameKind.HEAD]

    def one(self, names: list[Name], which: int) -> Name:
        return names[which % len(names)]

    def new_name(self, kind: NameKind) -> Name:
        return Name(kind=kind, id=str(next(self.numbers)))

    def new_layer(self) -> LayerId:
        return LayerId(f"00000000-0000-4000-8000-{next(self.numbers):012}")

    def weigh(self, layer: LayerId) -> int:
        return self.driver.usage(layer).allocated_bytes if self.driver.observe(layer) else 0

    def observe(self) -> dict:
        return layers.observe(self.driver, self.graph)

    def read(self, layer: LayerId) -> bytes:
        with self.driver.open_reading(layer) as reader:
            return reader.read(0, reader.size_bytes)

    def decide(self, plan: Plan) -> None:
        observed = layers.observe(self.driver, plan.graph)
        settled = not self.graph.unsettled and not self.graph.hidden
        self.persist(plan.graph, plan.delta)
        if settled and all(observed[layer] for layer in plan.graph.unsettled if layer in self.graph.layers):
            steps = layers.remaining(plan.graph, observed, self.weigh).steps
            assert sorted(map(str, steps[: len(plan.steps)])) == sorted(map(str, plan.steps))

    def persist(self, graph: Graph, delta: Delta) -> None:
        self.stored_layers.update({layer.id: layer for layer in delta.layers})
        self.stored_names.update(delta.names)
        for layer in delta.gone:
            self.stored_layers.pop(layer, None)
        for name in delta.dropped:
            self.stored_names.pop(name, None)
        self.graph = graph

    def work_until(self, enough: Callable[[], bool]) -> None:
        """The reconciler's loop."""
        for _ in range(1000):
            observed = self.observe()
            self.persist(*layers.record(self.graph, observed))
            if enough():
                return
            outstanding = layers.remaining(self.graph, self.observe(), self.weigh)
            assert outstanding.problems == ()
            if not outstanding.steps:
                return
            for step in outstanding.steps:
                layers.carry_out(self.driver, step)
        raise AssertionError("there is always more to do")
