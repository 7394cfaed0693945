"""Verbs killed anywhere, and long sequences of verbs. Part of `layer_driver_suite`."""

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from layer_mirror import Mirror, Walk
from layer_scenarios import SCENARIOS, Ground, Scenario
from layer_suite_base import LayerSuite

from stratal.kernel import effects
from stratal.storage.drivers.contract import (
    LayerDriver,
)


class Killed(BaseException):
    """Stands for the SIGKILL at a crash point; no `except Exception` of a driver may catch it."""


class Crashes(LayerSuite):
    def test_a_new_process_finds_everything_as_it_was(self, mirror: Mirror) -> None:
        layers = self.chain(mirror, 4)
        mirror.child(layers[1])
        mirror.driver = self.reopen(mirror.driver)
        mirror.verify()

    @pytest.mark.parametrize("then_reclaim", [False, True], ids=["then_repeated", "then_reclaimed"])
    @pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
    def test_a_verb_killed_anywhere_and_repeated_leads_to_the_same_place(
        self,
        mirror: Mirror,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
        scenario: Callable[[Mirror, Ground], Scenario],
        then_reclaim: bool,
    ) -> None:
        """Passes every crash point of the verb in turn, in this process. Unlike in the crash suite, which
        sends SIGKILL, `finally` still runs; but here every driver is killed everywhere in seconds."""
        for point in itertools.count(1):
            folder = tmp_path / str(point)
            folder.mkdir()
            verb = scenario(mirror, Ground(folder=folder, unit=self.UNIT, adoptable=self.foreign_image))
            killed = self.killed_at(point, lambda: verb.act(mirror.driver), monkeypatch)  # noqa: B023
            mirror.driver = self.reopen(mirror.driver)
            mirror.verify_content(but=verb.unsettled)
            if then_reclaim:
                mirror.driver.reclaim()
                mirror.verify_content(but=verb.unsettled)
            verb.act(mirror.driver)
            verb.settle()
            mirror.verify()
            mirror.driver.reclaim()
            assert mirror.driver.survey().leftovers == ()
            mirror.verify()
            mirror.clear()
            if not killed:
                break
        assert point > 2, "the verb passes its crash points"

    def killed_at(self, point: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> bool:
        """Do it, dying at the n-th crash point that it passes; False if it passes fewer."""
        left = [point]

        def passing(name: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed(name)

        with monkeypatch.context() as patch:
            patch.setattr(effects, "_pass", passing)
            try:
                act()
            except Killed:
                return True
        return False


class Sequences(LayerSuite):
    def test_any_sequence_of_verbs_keeps_every_layer_right(self, driver: LayerDriver) -> None:
        for seed in self.SEEDS:
            walk = Walk(Mirror(driver, self.SIZE, twice=True), random.Random(seed), self.UNIT)
            for _ in range(self.WALK):
                walk.step()
            walk.mirror.verify()
            walk.mirror.clear()
            assert driver.survey().leftovers == ()
