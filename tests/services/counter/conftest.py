"""A cashier at their drawer, finance who takes it over, and a manager."""

import pytest

from domain.payment_states import PaymentChannel
from services.payments.money_in import MoneyIn
from tests import factories


@pytest.fixture
def finance(database, scene):
    with database.session() as session:
        return factories.staff(session, role="finance")


@pytest.fixture
def shifts(services):
    return services.shifts


@pytest.fixture
def here(scene):
    """The cashier in the community, as the shifts' use-cases take them."""
    return {"actor": scene.cashier, "community_id": scene.community_id}


@pytest.fixture
def close(shifts, here):
    """Stop taking money and count: cash by place, the slips by name."""

    def close(cash_fen=0, note="", **slips_fen):
        shifts.begin_close(**here)
        counted = {PaymentChannel(way): fen for way, fen in slips_fen.items()}
        return shifts.count(
            **here, counted_fen={PaymentChannel.CASH: cash_fen} | counted, note=note
        )

    return close


@pytest.fixture
def take_deposit(services, here, scene):
    def take_deposit(amount_fen, key="deposit-0001", **changes):
        money = {"channel": PaymentChannel.CASH, "amount_fen": amount_fen, "payer_name": "王五"}
        return services.deposits.take(
            **here,
            house_id=scene.house_id,
            name="装修押金",
            money=MoneyIn(**(money | changes)),
            client_key=key,
        )

    return take_deposit


@pytest.fixture
def state(database):
    """The states of all shifts, oldest first."""
    return lambda: [
        row["state"] for row in database.rows("SELECT state FROM cashier_shift ORDER BY id")
    ]
