"""The situations in which the conformance suite kills each verb: layers, one verb, and what it leads to."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from layer_mirror import Expected, Mirror, new_id, pattern

from stratal.storage.drivers.contract import Direction, LayerDriver, LayerId, Location, Source


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a scenario is built on."""

    #: empty, for images
    folder: Path
    #: bytes of one write
    unit: int
    #: makes an existing image that the driver can adopt
    adoptable: Callable[[Path, bytes], Location]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    act: Callable[[LayerDriver], None]
    #: brings the model where the verb brings the world
    settle: Callable[[], None]
    #: the layer whose content is open between kill and repetition: it goes, grows, or is yet to come
    unsettled: LayerId | None = None


def an_empty_root(mirror: Mirror, ground: Ground) -> Scenario:
    return _root(mirror, None, b"")


def a_root_from_an_image(mirror: Mirror, ground: Ground) -> Scenario:
    image, content = ground.folder / "image.raw", pattern(1, 3 * ground.unit)
    image.write_bytes(content)
    return _root(mirror, Source.file(image, format="raw"), content)


def a_root_from_an_image_of_the_backend(mirror: Mirror, ground: Ground) -> Scenario:
    content = pattern(1, mirror.size_bytes)
    return _root(mirror, Source(location=ground.adoptable(ground.folder, content)), content)


def _root(mirror: Mirror, source: Source | None, content: bytes) -> Scenario:
    layer, size = new_id(), mirror.size_bytes
    expected = Expected(parent=None, content=bytearray(content.ljust(size, b"\0")))
    return Scenario(
        act=lambda driver: driver.create_root(layer, size_bytes=size, source=source).run(),
        settle=lambda: mirror.layers.update({layer: expected}),
    )


def an_adopted_image(mirror: Mirror, ground: Ground) -> Scenario:
    layer, content = new_id(), pattern(1, mirror.size_bytes)
    location = ground.adoptable(ground.folder, content)
    return Scenario(
        act=lambda driver: driver.adopt(layer, location=location),
        settle=lambda: mirror.layers.update({layer: Expected(parent=None, content=bytearray(content))}),
    )


def a_child(mirror: Mirror, ground: Ground) -> Scenario:
    *_, parent, _ = _chain(mirror, ground)
    layer, size = new_id(), mirror.size_bytes + ground.unit
    content = mirror.layers[parent].content.ljust(size, b"\0")
    return Scenario(
        act=lambda driver: driver.create_child(layer, parent=parent, size_bytes=size),
        settle=lambda: mirror.layers.update({layer: Expected(parent=parent, content=content)}),
    )


def a_freeze(mirror: Mirror, ground: Ground) -> Scenario:
    *_, head = _chain(mirror, ground)
    return Scenario(
        act=lambda driver: driver.freeze(head),
        settle=lambda: setattr(mirror.layers[head], "frozen", True),
    )


def a_resize(mirror: Mirror, ground: Ground) -> Scenario:
    *_, head = _chain(mirror, ground)
    return Scenario(
        act=lambda driver: driver.resize(head, size_bytes=mirror.size_bytes + ground.unit),
        settle=lambda: mirror.layers[head].content.extend(bytes(ground.unit)),
        unsettled=head,
    )


def a_head_that_absorbs_down(mirror: Mirror, ground: Ground) -> Scenario:
    return _absorb(mirror, _chain(mirror, ground), 3, Direction.DOWN)


def a_head_that_absorbs_up(mirror: Mirror, ground: Ground) -> Scenario:
    return _absorb(mirror, _chain(mirror, ground), 3, Direction.UP)


def a_layer_that_absorbs_the_root_down(mirror: Mirror, ground: Ground) -> Scenario:
    return _absorb(mirror, _chain(mirror, ground), 0, Direction.DOWN)


def a_layer_that_absorbs_the_root_up(mirror: Mirror, ground: Ground) -> Scenario:
    return _absorb(mirror, _chain(mirror, ground), 0, Direction.UP)


def a_layer_with_several_children_that_absorbs_down(mirror: Mirror, ground: Ground) -> Scenario:
    return _absorb(mirror, _branched(mirror, ground), 1, Direction.DOWN)


def a_layer_with_several_children_that_absorbs_up(mirror: Mirror, ground: Ground) -> Scenario:
    return _absorb(mirror, _branched(mirror, ground), 1, Direction.UP)


def a_layer_larger_than_its_parent_that_absorbs_down(mirror: Mirror, ground: Ground) -> Scenario:
    layers = _chain(mirror, ground)
    mirror.resize(layers[4], mirror.size_bytes + 2 * ground.unit)
    mirror.write(layers[4], mirror.size_bytes + 10, b"beyond")
    return _absorb(mirror, layers, 3, Direction.DOWN)


def a_head_made_a_root(mirror: Mirror, ground: Ground) -> Scenario:
    return _flatten(mirror, _chain(mirror, ground)[4], None)


def a_layer_with_several_children_made_a_root(mirror: Mirror, ground: Ground) -> Scenario:
    return _flatten(mirror, _branched(mirror, ground)[2], None)


def a_head_flattened_onto_an_ancestor(mirror: Mirror, ground: Ground) -> Scenario:
    layers = _chain(mirror, ground)
    return _flatten(mirror, layers[4], layers[1])


def a_removal(mirror: Mirror, ground: Ground) -> Scenario:
    *_, head = _chain(mirror, ground)
    return Scenario(
        act=lambda driver: driver.delete(head),
        settle=lambda: mirror.layers.pop(head) and None,
        unsettled=head,
    )


SCENARIOS = (
    an_empty_root,
    a_root_from_an_image,
    a_root_from_an_image_of_the_backend,
    an_adopted_image,
    a_child,
    a_freeze,
    a_resize,
    a_head_that_absorbs_down,
    a_head_that_absorbs_up,
    a_layer_that_absorbs_the_root_down,
    a_layer_that_absorbs_the_root_up,
    a_layer_with_several_children_that_absorbs_down,
    a_layer_with_several_children_that_absorbs_up,
    a_layer_larger_than_its_parent_that_absorbs_down,
    a_head_made_a_root,
    a_layer_with_several_children_made_a_root,
    a_head_flattened_onto_an_ancestor,
    a_removal,
)


def _chain(mirror: Mirror, ground: Ground) -> list[LayerId]:
    """Five layers; each writes over, and zeroes, a part of what the one below wrote."""
    layers = [mirror.root()]
    mirror.write(layers[0], 0, pattern(0, 8 * ground.unit))
    for level in range(1, 5):
        layers.append(mirror.snapshot(layers[-1]))
        mirror.write(layers[-1], level * ground.unit, pattern(level, 2 * ground.unit))
        mirror.zero(layers[-1], level * ground.unit // 2, ground.unit // 3)
    return layers


def _branched(mirror: Mirror, ground: Ground) -> list[LayerId]:
    layers = _chain(mirror, ground)
    mirror.write(mirror.child(layers[2]), 5 * ground.unit, pattern(9, ground.unit))
    return layers


def _absorb(mirror: Mirror, layers: list[LayerId], at: int, direction: Direction) -> Scenario:
    parent, into = layers[at], layers[at + 1]

    def settle() -> None:
        mirror.layers[into].parent = mirror.layers.pop(parent).parent

    return Scenario(
        act=lambda driver: driver.absorb(parent, into=into, direction=direction).run(),
        settle=settle,
        unsettled=parent,
    )


def _flatten(mirror: Mirror, layer: LayerId, onto: LayerId | None) -> Scenario:
    def settle() -> None:
        info = mirror.driver.observe(layer)
        assert info is not None
        assert info.parent in (onto, None)
        mirror.layers[layer].parent = info.parent

    return Scenario(act=lambda driver: driver.flatten(layer, onto=onto).run(), settle=settle)
