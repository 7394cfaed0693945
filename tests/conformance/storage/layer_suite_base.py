"""What all parts of the layer driver suite share: fixtures, hooks and sizes. See `layer_driver_suite`."""

from pathlib import Path
from typing import ClassVar

import pytest
from layer_mirror import Mirror, pattern

from stratal.storage.drivers.contract import (
    Direction,
    LayerDriver,
    LayerId,
    Location,
    Transport,
)

KIB = 2**10
MIB = 2**20
TIB = 2**40

both_directions = pytest.mark.parametrize("direction", list(Direction))


class LayerSuite:
    #: of ordinary layers; large enough to span several of the backend's allocation units
    SIZE: ClassVar[int] = 2 * MIB
    #: of one write in a test
    UNIT: ClassVar[int] = 64 * KIB
    #: steps of the random walk, and seeds to walk with
    WALK: ClassVar[int] = 60
    SEEDS: ClassVar[tuple[int, ...]] = (1, 2, 3)

    @pytest.fixture
    def driver(self) -> LayerDriver:
        raise NotImplementedError("a driver's test module overrides this fixture")

    @pytest.fixture
    def mirror(self, driver: LayerDriver) -> Mirror:
        return Mirror(driver, self.SIZE)

    def foreign_image(self, folder: Path, content: bytes) -> Location:
        """An existing image that the driver can take over in place. Hook."""
        path = folder / "foreign.raw"
        path.write_bytes(content)
        return Location(transport=Transport.FILE, address=str(path), format="raw")

    def reopen(self, driver: LayerDriver) -> LayerDriver:
        """The driver as a new process would find its place after a crash of the old one. Hook."""
        return driver

    def chain(self, mirror: Mirror, length: int) -> list[LayerId]:
        """A root and layers on it, all but the last frozen; each overwrites half of the one below."""
        layers = [mirror.root()]
        mirror.write(layers[0], 0, pattern(0, 8 * self.UNIT))
        for level in range(1, length):
            layers.append(mirror.snapshot(layers[-1]))
            mirror.write(layers[-1], level % 16 * self.UNIT // 2, pattern(level, self.UNIT))
            mirror.zero(layers[-1], (level % 8 + 2) * self.UNIT, self.UNIT // 2)
        return layers
