"""An owner who has paid a bill, agreed to the policy, and has a message; and their neighbours."""

import pytest

from domain.actors import system_actor
from services.sign_in_attempts import Visit
from tests.services.payments.conftest import (  # noqa: F401 - a payer and their payments
    make_payer,
    pay,
    payer,
    settle,
)

SYSTEM = system_actor("测试")
HOME = Visit("10.0.0.1")


@pytest.fixture
def paid(payer, pay, settle):  # noqa: F811
    """The payer, of whose two bills the first is paid."""
    settle(pay(payer, bill_ids=payer.bill_ids[:1]))
    return payer


@pytest.fixture
def last_code(database):
    """The code that the last message to a phone brought."""
    return lambda phone: database.value(
        "SELECT payload ->> 'code' FROM outbox_message WHERE recipient = :phone"
        " ORDER BY id DESC LIMIT 1",
        phone=phone,
    )


@pytest.fixture
def ask_deletion(services, clock, last_code):
    """Ask for an account to be closed, with the code that came."""

    def ask(who, phone="19900000001"):
        clock.advance(minutes=2)
        services.account_deletions.send_code(actor=who.actor, visit=HOME)
        return services.account_deletions.ask(actor=who.actor, code=last_code(phone), visit=HOME)

    return ask


@pytest.fixture
def close(services, clock, ask_deletion):
    """Close an account: asked for, and a week later."""

    def close(who, phone="19900000001"):
        ask_deletion(who, phone)
        clock.advance(days=7)
        return services.account_deletions.carry_out_due(actor=SYSTEM)

    return close


@pytest.fixture
def money(database):
    """All money as it stands."""
    return lambda: {
        table: database.rows(f"SELECT * FROM {table} ORDER BY 1, 2")
        for table in ("allocation", "bill", "bill_line", "payment", "prepaid_entry", "receipt")
    }
