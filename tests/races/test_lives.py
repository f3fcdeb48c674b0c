"""All that can happen to money, six at a time."""

import random

import pytest

from domain.actors import operator
from domain.errors import PropertyError
from tests.services.payments.conftest import SYSTEM
from tests.services.payments.lives import Life

HANDS = 6
ROUNDS = 25


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_six_hands_lose_and_double_nothing(app, services, database, simulator, together, seed):
    print(f"seed {seed}")
    life = Life(services, database, seed)
    chance = random.Random(seed)
    acts = [
        *(life.start, life.start_at_door, life.tell, life.tell, life.tell_again, life.give_up),
        *(life.take, life.reverse, life.shift, life.offset, life.transfer, life.place),
        *(life.ask_refund, life.decide, life.decide, life.say_of_refund, life.say_of_refund),
        *(life.ask_about_bill, life.refund_prepaid, lambda: services.sweep.sweep(actor=SYSTEM)),
    ]
    done = 0
    for number in range(ROUNDS):
        if number % 5 == 0:
            life.publish()
        if chance.random() < 0.3:
            life.wait()

        results = together(*chance.choices(acts, k=HANDS))

        failed = [one for one in results if isinstance(one, Exception)]
        done += len(results) - len(failed)
        # IndexError: there was nothing to do it with.
        assert [one for one in failed if not isinstance(one, (PropertyError, IndexError))] == []
        checks = services.ledger.verify(actor=operator())
        assert [check for check in checks if not check.holds] == []
        came_fen = life.value(
            "SELECT sum(amount_fen) FROM payment WHERE channel NOT IN ('prepaid', 'deposit')"
        )
        went_fen = life.value("SELECT sum(amount_fen) FROM refund WHERE state = 'succeeded'")
        assert came_fen - went_fen == life.held_fen()
    assert done > ROUNDS
