"""Inspection of whatever bytes: real images with changes, and nonsense."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_images import MADE, MIB, qemu_img

from stratal.storage.images import (
    ImageFacts,
    ImageRefused,
    InspectionLimits,
    inspect,
)
from thoroughness import examples

MAGICS = st.sampled_from([b"QFI\xfb\0\0\0\x02", b"QFI\xfb\0\0\0\x03", b"KDMV\1\0\0\0", b"vhdxfile", b""])

_samples: dict[str, bytes] = {}


class TestAnyBytes:
    """Facts or a typed refusal, whatever comes."""

    @given(data=st.tuples(MAGICS, st.binary(max_size=2000)).map(b"".join))
    def test_of_any_beginning(self, tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
        self.judge(tmp_path_factory, data)

    @given(
        kind=st.sampled_from(sorted(MADE)),
        changes=st.lists(st.tuples(st.integers(0, 2**31), st.binary(min_size=1, max_size=12)), max_size=8),
        length=st.none() | st.integers(0, 2**22),
    )
    @settings(max_examples=examples(400), suppress_health_check=[HealthCheck.too_slow], deadline=None)
    def test_of_a_real_image_with_changes(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        kind: str,
        changes: list[tuple[int, bytes]],
        length: int | None,
    ) -> None:
        data = bytearray(sample(tmp_path_factory, kind))
        for where, change in changes:
            # Half of the changes go to the first sectors, where the headers are.
            at = where % (1024 if where % 2 else min(len(data), 4 * MIB))
            data[at : at + len(change)] = change
        self.judge(tmp_path_factory, bytes(data[:length]))

    def judge(self, factory: pytest.TempPathFactory, data: bytes) -> None:
        path = factory.getbasetemp() / "fuzzed"
        path.write_bytes(data)
        try:
            facts = inspect(path)
        except ImageRefused:
            return
        assert isinstance(facts, ImageFacts)
        assert 0 < facts.virtual_size_bytes <= InspectionLimits().virtual_size_bytes


def sample(factory: pytest.TempPathFactory, kind: str) -> bytes:
    if kind not in _samples:
        driver, options, *_ = MADE[kind]
        path = factory.mktemp("sample") / "image"
        qemu_img("create", "-f", driver, *(["-o", options] if options else []), path, "1M")
        _samples[kind] = path.read_bytes()[: 4 * MIB]
    return _samples[kind]
