"""A layer driver and, beside it, what each of its layers must be and read: the model of the suite.

Every verb is done to the driver and to the model; `verify` compares all of them, byte for byte.
"""

import random
import uuid
from dataclasses import dataclass
from pathlib import Path

from stratal.storage.drivers.contract import Direction, LayerDriver, LayerId, Source


def new_id() -> LayerId:
    return LayerId(str(uuid.uuid4()))


def pattern(seed: int, length: int) -> bytes:
    return random.Random(seed).randbytes(length)


@dataclass(kw_only=True)
class Expected:
    parent: LayerId | None
    content: bytearray
    frozen: bool = False


class Mirror:
    def __init__(self, driver: LayerDriver, size_bytes: int, *, twice: bool = False) -> None:
        self.driver = driver
        self.size_bytes = size_bytes
        self.twice = twice
        self.layers: dict[LayerId, Expected] = {}

    def children(self, layer: LayerId | None) -> list[LayerId]:
        return [each for each, expected in self.layers.items() if expected.parent == layer]

    def ancestors(self, layer: LayerId) -> list[LayerId]:
        """From the parent to the root."""
        found: list[LayerId] = []
        above = self.layers[layer].parent
        while above is not None:
            found.append(above)
            above = self.layers[above].parent
        return found

    def root(self, *, source: Path | None = None) -> LayerId:
        layer = new_id()
        content = bytearray(self.size_bytes)
        if source is not None:
            data = source.read_bytes()
            content[: len(data)] = data
        for _ in self._times():
            self.driver.create_root(
                layer, size_bytes=self.size_bytes, source=source and Source.file(source, format="raw")
            ).run()
        self.layers[layer] = Expected(parent=None, content=content)
        return layer

    def child(self, parent: LayerId, size_bytes: int | None = None) -> LayerId:
        layer = new_id()
        content = bytearray(self.layers[parent].content)
        size_bytes = size_bytes or len(content)
        for _ in self._times():
            self.driver.create_child(layer, parent=parent, size_bytes=size_bytes)
        content.extend(bytes(size_bytes - len(content)))
        self.layers[layer] = Expected(parent=parent, content=content)
        return layer

    def write(self, layer: LayerId, offset: int, data: bytes) -> None:
        with self.driver.open_writing(layer) as writer:
            writer.write(offset, data)
        self.layers[layer].content[offset : offset + len(data)] = data

    def zero(self, layer: LayerId, offset: int, length: int) -> None:
        with self.driver.open_writing(layer) as writer:
            writer.zero(offset, length)
        self.layers[layer].content[offset : offset + length] = bytes(length)

    def freeze(self, layer: LayerId) -> None:
        for _ in self._times():
            self.driver.freeze(layer)
        self.layers[layer].frozen = True

    def resize(self, layer: LayerId, size_bytes: int) -> None:
        for _ in self._times():
            self.driver.resize(layer, size_bytes=size_bytes)
        content = self.layers[layer].content
        content.extend(bytes(size_bytes - len(content)))

    def absorb(self, parent: LayerId, into: LayerId, direction: Direction) -> None:
        for _ in self._times():
            self.driver.absorb(parent, into=into, direction=direction).run()
        self.layers[into].parent = self.layers.pop(parent).parent

    def flatten(self, layer: LayerId, onto: LayerId | None = None) -> None:
        for _ in self._times():
            self.driver.flatten(layer, onto=onto).run()
        info = self.driver.observe(layer)
        assert info is not None
        # A driver that can't stop at an ancestor may go on to the root; nothing in between is allowed.
        assert info.parent in (onto, None)
        self.layers[layer].parent = info.parent

    def delete(self, layer: LayerId) -> None:
        for _ in self._times():
            self.driver.delete(layer)
        del self.layers[layer]

    def snapshot(self, head: LayerId) -> LayerId:
        """Freeze a head and put a new one on top, as a volume's snapshot does."""
        self.freeze(head)
        return self.child(head)

    def verify(self) -> None:
        survey = self.driver.survey()
        assert set(survey.layers) == set(self.layers)
        for layer, expected in self.layers.items():
            info = self.driver.observe(layer)
            assert info is not None
            assert info == survey.layers[layer]
            assert (info.layer, info.parent, info.frozen) == (layer, expected.parent, expected.frozen)
            assert info.size_bytes == len(expected.content)
        self.verify_content()

    def verify_content(self, *, but: LayerId | None = None) -> None:
        for layer in self.layers:
            if layer != but:
                self.verify_layer(layer)

    def clear(self) -> None:
        """Remove every layer, children first."""
        while self.layers:
            for layer in [each for each in self.layers if not self.children(each)]:
                self.delete(layer)

    def verify_layer(self, layer: LayerId) -> None:
        expected = self.layers[layer].content
        with self.driver.open_reading(layer) as reader:
            assert reader.size_bytes == len(expected)
            found = reader.read(0, reader.size_bytes)
        if found != expected:  # a plain assert would print megabytes
            where = next(at for at, (a, b) in enumerate(zip(found, expected, strict=True)) if a != b)
            raise AssertionError(f"layer {layer} differs from byte {where} on")

    def verify_extents(self, layer: LayerId, above: LayerId | None) -> int:
        """What is not listed reads as `above`; what is listed as zero is zero. Returns the bytes listed."""
        expected = self.layers[layer].content
        below = bytearray() if above is None else bytearray(self.layers[above].content)
        below.extend(bytes(len(expected) - len(below)))
        at = listed = 0
        for extent in self.driver.extents(layer, above=above):
            assert extent.offset >= at, "sorted and not overlapping"
            assert extent.length > 0
            assert extent.offset + extent.length <= len(expected), "clipped to the size"
            assert expected[at : extent.offset] == below[at : extent.offset]
            at = extent.offset + extent.length
            listed += extent.length
            if extent.zero:
                assert not any(expected[extent.offset : at])
        assert expected[at:] == below[at:]
        return listed

    def _times(self) -> range:
        return range(2 if self.twice else 1)


class Walk:
    """A seeded sequence of verbs, each on whatever layers there are and each that the contract allows."""

    def __init__(self, mirror: Mirror, chance: random.Random, unit: int) -> None:
        self.mirror = mirror
        self.chance = chance
        self.unit = unit
        mirror.root()

    def step(self) -> None:
        mirror, chance = self.mirror, self.chance
        heads = [layer for layer, expected in mirror.layers.items() if not expected.frozen]
        frozen = [layer for layer, expected in mirror.layers.items() if expected.frozen]
        only_children = [
            (layer, mirror.children(layer)[0]) for layer in frozen if len(mirror.children(layer)) == 1
        ]
        leaves = [layer for layer in mirror.layers if not mirror.children(layer)]
        match chance.randrange(8):
            case 0 | 1 | 2 if heads:
                head = chance.choice(heads)
                offset = chance.randrange(mirror.size_bytes - 2 * self.unit)
                length = chance.randrange(1, 2 * self.unit)
                if chance.random() < 0.3:
                    mirror.zero(head, offset, length)
                else:
                    mirror.write(head, offset, chance.randbytes(length))
            case 3 if heads:
                mirror.snapshot(chance.choice(heads))
            case 4 if frozen:
                parent = chance.choice(frozen)
                growth = chance.choice((0, 0, self.unit // 2))
                mirror.child(parent, len(mirror.layers[parent].content) + growth)
            case 5 if only_children:
                mirror.absorb(*chance.choice(only_children), chance.choice(list(Direction)))
            case 6 if chance.random() < 0.5:
                layer = chance.choice(list(mirror.layers))
                mirror.flatten(layer, chance.choice([None, *mirror.ancestors(layer)]))
            case 7 if len(leaves) > 1:
                mirror.delete(chance.choice(leaves))
            case _ if heads:
                head = chance.choice(heads)
                mirror.resize(head, len(mirror.layers[head].content) + self.unit // 2)
            case _:
                mirror.root()
