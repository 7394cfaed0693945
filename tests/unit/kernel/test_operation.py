"""Operations: progress, phases, cancellation."""

import threading

import pytest

from stratal.kernel.operation import Cancelled, Operation


def test_progress_only_goes_up() -> None:
    def body(operation: Operation) -> None:
        operation.expect(10)
        operation.advance(7)
        operation.advance(3)

    operation = Operation("copy", body)
    operation.run()
    assert (operation.progress.done_bytes, operation.progress.total_bytes) == (7, 10)
    assert operation.done


def test_phases_say_what_they_took() -> None:
    def body(operation: Operation) -> None:
        with operation.phase("copy"):
            operation.advance(2**20)
        with operation.phase("flush"):
            pass

    operation = Operation("absorb a", body)
    operation.run()
    assert [(phase.name, phase.bytes) for phase in operation.phases] == [("copy", 2**20), ("flush", 0)]
    assert str(operation).startswith("absorb a; copy 0.")
    assert "1.00 MiB" in str(operation)


def test_an_operation_that_was_cancelled_before_it_ran_does_nothing() -> None:
    operation = Operation("copy", lambda _: pytest.fail("it ran"))
    operation.cancel()
    with pytest.raises(Cancelled):
        operation.run()


def test_cancelling_from_another_thread_interrupts_what_blocks() -> None:
    released = threading.Event()

    def body(operation: Operation) -> None:
        with operation.interruptible(released.set):
            threading.Timer(0.01, operation.cancel).start()
            assert released.wait(5)
        operation.check()

    with pytest.raises(Cancelled):
        Operation("copy", body).run()


def test_an_operation_that_was_cancelled_already_is_interrupted_at_once() -> None:
    calls: list[str] = []

    def body(operation: Operation) -> None:
        operation.cancel()
        with operation.interruptible(lambda: calls.append("stop")):
            pass

    Operation("copy", body).run()
    assert calls == ["stop"]


def test_an_operation_that_failed_is_done() -> None:
    def body(_: Operation) -> None:
        raise OSError("broken")

    operation = Operation("copy", body)
    with pytest.raises(OSError, match="broken"):
        operation.run()
    assert operation.done
