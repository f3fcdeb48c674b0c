"""A community with staff and houses, and the steps of its batches."""

from decimal import Decimal

import pytest

from domain.charges import ChargeMethod
from services.fees.checks import NewFeeItem
from tests.factories import LONG_AGO
from tests.services.bills.conftest import (  # noqa: F401 - the same people do the same steps
    approve,
    approved,
    bills,
    desk,
    draft,
    generate,
    generated,
    make_desk,
    make_houses,
    november,
    publish,
)


@pytest.fixture
def new_item():
    """An item as a manager types it."""

    def new_item(method="area", price=None, code="SF", starts_on=LONG_AGO, **more):
        unit_price = None if price is None else Decimal(price)
        return NewFeeItem(code, "项目", ChargeMethod(method), unit_price, starts_on, **more)

    return new_item


@pytest.fixture
def add_item(services, desk, new_item):  # noqa: F811
    def add_item(*words, **more):
        return services.fees.add_item(
            actor=desk.maker, community_id=desk.community_id, item=new_item(*words, **more)
        )

    return add_item


@pytest.fixture
def elsewhere(make_desk):  # noqa: F811
    """Another community with people of its own."""
    return make_desk()
