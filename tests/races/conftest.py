"""Races are run on the scene of the payments' tests."""

import pytest

from tests.services.house_money import (  # noqa: F401 - a house that owes money
    add_bill,
    balance,
    bill,
    scene,
    take,
    today,
)
from tests.services.payments.conftest import (  # noqa: F401 - fixtures of the same story
    bills,
    make_payer,
    payer,
    start,
    trade_for,
)
from tests.services.repairs.conftest import (  # noqa: F401 - fixtures of repairs
    at_work,
    desk,
    events,
    finish,
    repair,
    report,
    set_mode,
    state,
)


@pytest.fixture
def unit_of_work(services):
    return services.outbox.unit_of_work
