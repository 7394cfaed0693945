"""What only the simulated driver can do: fail to order, be full to order; and its sparse bytes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratal.kernel.script import When
from stratal.storage.drivers.contract import Direction, LayerId
from stratal.storage.drivers.errors import BackendUnavailable, NoSpace
from stratal.storage.drivers.simulated import Place, Script, SimulatedDriver
from stratal.storage.drivers.simulated.sparse import SparseBytes

A, B, C = LayerId("a"), LayerId("b"), LayerId("c")


def silent() -> BackendUnavailable:
    return BackendUnavailable(place="memory", reason="it was told not to")


def test_an_effect_fails_as_often_as_it_was_told_to() -> None:
    script = Script()
    driver = SimulatedDriver(script=script)
    script.fail("create", silent, times=2, skip=1)
    driver.create_root(A, size_bytes=10).run()
    for _ in range(2):
        with pytest.raises(BackendUnavailable):
            driver.create_root(B, size_bytes=10).run()
    driver.create_root(B, size_bytes=10).run()


def test_an_error_after_the_effect_is_no_proof_that_nothing_happened() -> None:
    script = Script()
    driver = SimulatedDriver(script=script)
    script.fail("create", silent, when=When.AFTER)
    with pytest.raises(BackendUnavailable):
        driver.create_root(A, size_bytes=10).run()
    assert driver.observe(A) is not None


def test_a_delay_holds_up_its_effect_and_nothing_else() -> None:
    script = Script()
    driver = SimulatedDriver(script=script)
    driver.create_root(A, size_bytes=10).run()
    script.delay("freeze", 0.05)
    start = time.perf_counter()
    driver.freeze(A)
    assert time.perf_counter() - start >= 0.05
    script.clear()


def test_a_full_place_refuses_data_and_goes_on_when_there_is_room() -> None:
    place = Place(total_bytes=100)
    driver = SimulatedDriver(place)
    driver.create_root(A, size_bytes=80).run()
    with driver.open_writing(A) as writer:
        writer.write(0, b"x" * 60)
    driver.freeze(A)
    driver.create_child(B, parent=A, size_bytes=80)
    with driver.open_writing(B) as writer:
        writer.write(0, b"y" * 30)
        with pytest.raises(NoSpace):
            writer.write(30, b"y" * 30)
    with pytest.raises(NoSpace):
        driver.absorb(A, into=B, direction=Direction.UP).run()
    place.total_bytes = 1000
    driver.absorb(A, into=B, direction=Direction.UP).run()
    with driver.open_reading(B) as reader:
        assert reader.read(0, 80) == b"y" * 30 + b"x" * 30 + bytes(20)


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 30), st.one_of(st.none(), st.integers(1, 255))),
        max_size=30,
    )
)
def test_sparse_bytes_are_what_was_written_last(writes: list[tuple[int, int, int | None]]) -> None:
    sparse, model = SparseBytes(), {}
    for start, length, value in writes:
        sparse.put(start, start + length, None if value is None else bytes([value]) * length)
        model.update(dict.fromkeys(range(start, start + length), value))
    found: dict[int, int | None] = {}
    for piece in sparse.pieces(0, 100):
        for at in range(piece.start, piece.end):
            assert at not in found
            found[at] = None if piece.data is None else piece.data[at - piece.start]
    assert found == model
    assert sparse.allocated_bytes == sum(value is not None for value in model.values())
