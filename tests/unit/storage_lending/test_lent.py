"""Which layers guests have open, as one process remembers it."""

import threading

import pytest

from stratal.storage.drivers.contract import LayerId
from stratal.storage.lending.lent import Lent, Loan

ROOT, ONE, TWO = LayerId("root"), LayerId("one"), LayerId("two")


def loan(volume_id: int, *layers: LayerId, tree_id: int = 1) -> Loan:
    return Loan(
        volume_id=volume_id, tree_id=tree_id, keeper=("virtual_machine", volume_id), layers=set(layers)
    )


@pytest.fixture
def lent() -> Lent:
    return Lent()


def test_a_layer_that_guests_share_is_lent_until_the_last_of_them_gives_it_back(lent: Lent) -> None:
    lent.put(loan(1, ROOT, ONE))
    lent.put(loan(2, ROOT, TWO))
    assert [each.volume_id for each in lent.at(ROOT)] == [1, 2]
    assert [each.volume_id for each in lent.at(ONE)] == [1]
    lent.remove(1)
    assert (lent.at(ONE), [each.volume_id for each in lent.at(ROOT)]) == ([], [2])
    lent.remove(2)
    assert (lent.at(ROOT), lent.layers()) == ([], frozenset())


def test_what_is_known_better_of_a_loan_takes_the_place_of_what_was_known(lent: Lent) -> None:
    lent.put(loan(1, ROOT, ONE))
    lent.put(loan(1, ONE, TWO))
    assert lent.at(ROOT) == []
    assert lent.layers() == {ONE, TWO}
    found = lent.of(1)
    assert found is not None
    assert found.layers == {ONE, TWO}


def test_what_was_never_lent_can_be_given_back(lent: Lent) -> None:
    lent.remove(1)
    assert lent.of(1) is None


def test_layers_can_be_asked_for_by_their_trees(lent: Lent) -> None:
    lent.put(loan(1, ONE, tree_id=1))
    lent.put(loan(2, TWO, tree_id=2))
    assert lent.layers({1}) == {ONE}
    assert lent.layers({1, 2}) == lent.layers() == {ONE, TWO}
    assert lent.layers(frozenset()) == frozenset()


def test_a_turn_of_a_tree_is_one_thread_s_at_a_time_and_of_other_trees_anybody_s(lent: Lent) -> None:
    entered = threading.Event()

    def wait_for(tree_id: int) -> threading.Thread:
        def take() -> None:
            with lent.turn(tree_id):
                entered.set()

        thread = threading.Thread(target=take)
        thread.start()
        return thread

    with lent.turn(1), lent.turn(1):  # whoever has it may take it again
        other = wait_for(2)
        assert entered.wait(10)
        other.join()
        entered.clear()
        same = wait_for(1)
        assert not entered.wait(0.05)
    assert entered.wait(10)
    same.join()


def test_a_turn_ends_with_whatever_went_wrong_in_it(lent: Lent) -> None:
    with pytest.raises(RuntimeError), lent.turn(1):
        raise RuntimeError("no")
    taken = threading.Thread(target=lambda: lent.turn(1).__enter__())
    taken.start()
    taken.join(10)
    assert not taken.is_alive()
