"""Two houses live through all that can happen to money; after each step all of it adds up."""

import pytest

from tests.services.payments.lives import Life


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_the_money_is_where_we_say(app, services, database, simulator, seed):
    print(f"seed {seed}")
    life = Life(services, database, seed)

    life.live(80, after_each=life.check)

    assert life.done["tell"]
    assert sum(life.came.values()) > 0
