"""Races are run on the scene of the payments' tests."""

from tests.services.payments.conftest import (  # noqa: F401 - fixtures of the same story
    bills,
    make_payer,
    payer,
    start,
    trade_for,
)
