from datetime import UTC, date, datetime

import pytest

from domain.actors import operator, visitor
from domain.bill_states import BillState
from domain.errors import NotAllowed, NotFound
from domain.periods import Span
from services.bills.own_bills import BillFilter, BillView, LineView, Outstanding
from tests import factories


@pytest.fixture
def account(database):
    """An owner's account that is bound to no house yet."""
    with database.session() as session:
        return factories.make_account(session, owner=factories.make_owner(session))


@pytest.fixture
def make_house(database, account):
    """A house that the owner, or whoever has the role, is bound to."""

    def make_house(binding_role="owner", status="active"):
        with database.session() as session:
            community = factories.make_community(session)
            building = factories.make_building(session, community=community, name="1栋")
            house = factories.make_house(session, building=building, room_no="101")
            owner = factories.make_owner(session, house=house)
            factories.add(
                session,
                factories.HouseBinding(
                    account_id=account.id,
                    house_id=house.id,
                    owner_id=owner.id,
                    role=binding_role,
                    status=status,
                    created_at=factories.MADE_AT,
                ),
            )
            return house.id

    return make_house


@pytest.fixture
def make_bill(database):
    def make_bill(house_id, **changes):
        with database.session() as session:
            house = session.get_one(factories.House, house_id)
            return factories.make_bill(session, house=house, **changes).id

    return make_bill


@pytest.fixture
def list_own(services, account):
    def list_own(which=BillFilter.ALL, **more):
        values = {"house_id": None, "before_id": None, "limit": 50} | more
        actor = values.pop("actor", factories.owner(account))
        return services.own_bills.list_own(actor=actor, which=which, **values)

    return list_own


@pytest.fixture
def ids(list_own):
    return lambda *args, **more: [bill.id for bill in list_own(*args, **more)]


@pytest.fixture
def show(services, account):
    return lambda bill_id: services.own_bills.show(actor=factories.owner(account), bill_id=bill_id)


@pytest.fixture
def outstanding(services, account):
    return lambda: services.own_bills.sum_outstanding(actor=factories.owner(account))


HIDDEN = ("pending_review", "cancelled", "voided")
pytestmark = pytest.mark.breaks_promises
"""Scenes here have bills paid without a payment, which the ledger rightly reports."""


class TestListOwn:
    def test_a_bill_as_its_owner_sees_it(self, list_own, make_house, make_bill):
        house_id = make_house()
        bill_id = make_bill(house_id, lines=(21002,), state="partially_paid", paid_fen=1002)

        (bill,) = list_own()

        assert bill == BillView(
            id=bill_id,
            bill_no=bill.bill_no,
            house_id=house_id,
            house="1栋1单元101",
            item="物业费",
            period=Span(date(2026, 10, 1), date(2026, 11, 1)),
            due_date=date(2026, 12, 1),
            state=BillState.PARTIALLY_PAID,
            amount_fen=21002,
            paid_fen=1002,
            late_fee_fen=0,
            discount_fen=0,
            is_overdue=False,
            is_in_payment=False,
        )
        assert bill.outstanding_fen == 20000

    def test_newest_first_page_by_page(self, ids, make_house, make_bill):
        house_id = make_house()
        first, second, third = (make_bill(house_id) for _ in range(3))

        assert ids(limit=2) == [third, second]
        assert ids(limit=2, before_id=second) == [first]

    def test_filters(self, ids, make_house, make_bill):
        house_id = make_house()
        open_bill = make_bill(house_id)
        partly = make_bill(house_id, state="partially_paid", paid_fen=1)
        paid = make_bill(house_id, state="paid", paid_fen=21002)

        assert ids(BillFilter.UNPAID) == [partly, open_bill]
        assert ids(BillFilter.PAID) == [paid]
        assert ids(BillFilter.ALL) == [paid, partly, open_bill]

    def test_of_one_house(self, ids, make_house, make_bill):
        one, other = make_house(), make_house()
        make_bill(one)
        bill_id = make_bill(other)

        assert ids(house_id=other) == [bill_id]

    @pytest.mark.parametrize("state", HIDDEN)
    def test_what_is_not_published_is_not_seen(self, ids, make_house, make_bill, state):
        make_bill(make_house(), state=state)

        assert ids() == []

    def test_nobody_sees_a_stranger_s_bills_by_naming_the_house(self, ids, make_bill, database):
        with database.session() as session:
            strange = factories.make_house(session).id
        make_bill(strange)

        assert ids() == []
        assert ids(house_id=strange) == []

    @pytest.mark.parametrize(
        ("binding", "is_seen"),
        [
            ({"binding_role": "owner"}, True),
            ({"binding_role": "family"}, True),
            ({"binding_role": "tenant"}, False),
            ({"status": "pending"}, False),
            ({"status": "rejected"}, False),
            ({"status": "revoked"}, False),
        ],
    )
    def test_the_binding_decides(self, ids, make_house, make_bill, show, binding, is_seen):
        bill_id = make_bill(make_house(**binding))

        assert ids() == ([bill_id] if is_seen else [])
        if not is_seen:
            with pytest.raises(NotFound):
                show(bill_id)

    @pytest.mark.parametrize(
        ("now", "is_overdue"),
        [
            (datetime(2026, 12, 1, 15, 59, 59, tzinfo=UTC), False),
            (datetime(2026, 12, 1, 16, 0, 0, tzinfo=UTC), True),
        ],
    )
    def test_overdue_begins_when_the_due_day_ends_in_shanghai(
        self, list_own, make_house, make_bill, clock, now, is_overdue
    ):
        make_bill(make_house())
        clock.set(now)

        assert [bill.is_overdue for bill in list_own()] == [is_overdue]

    def test_what_is_paid_is_never_overdue(self, list_own, make_house, make_bill, clock):
        make_bill(make_house(), state="paid", paid_fen=21002)
        clock.set(datetime(2027, 12, 1, tzinfo=UTC))

        assert [bill.is_overdue for bill in list_own()] == [False]

    def test_an_open_order_shows_as_in_payment(
        self, list_own, make_house, make_bill, database, account
    ):
        bill_id = make_bill(make_house())
        database.do(
            "INSERT INTO payment_order (community_id, account_id, channel, mchid, appid, openid,"
            " out_trade_no, description, state, amount_fen, created_at, expires_at, query_at)"
            " SELECT community_id, :account_id, 'wechat', 'm', 'a', 'o', 'P1', 'x', 'created',"
            " 1, now(), now(), now() FROM bill",
            account_id=account.id,
        )
        database.do("INSERT INTO bill_lock (bill_id, order_id) VALUES (:id, 1)", id=bill_id)

        assert [bill.is_in_payment for bill in list_own()] == [True]

    def test_a_list_costs_the_same_statements_however_long(
        self, list_own, make_house, make_bill, statements
    ):
        house_id = make_house()
        make_bill(house_id)
        statements.clear()
        list_own()
        for_one = len(statements)
        for _ in range(5):
            make_bill(house_id)
        statements.clear()

        list_own()

        assert len(statements) == for_one <= 5

    @pytest.mark.parametrize("actor", [visitor(), operator()])
    def test_only_with_the_permission(self, list_own, actor):
        with pytest.raises(NotAllowed):
            list_own(actor=actor)


class TestShow:
    def test_a_bill_with_all_its_lines_explained(self, show, make_house, make_bill):
        bill_id = make_bill(make_house(), lines=(21002, 500))

        detail = show(bill_id)

        assert detail.bill.id == bill_id
        first, second = detail.lines
        assert isinstance(first, LineView)
        assert (first.line_no, first.amount_fen) == (1, 21002)
        assert first.explanation == (
            "2026-10-01 ~ 2026-10-31：89.37 ㎡ × 2.35 元/㎡·月 = 210.02 元"
        )
        assert first.trace["unit_price"] == "2.35"
        assert (second.line_no, second.amount_fen) == (2, 500)

    @pytest.mark.parametrize("state", HIDDEN)
    def test_what_is_not_published_is_not_there(self, show, make_house, make_bill, state):
        with pytest.raises(NotFound):
            show(make_bill(make_house(), state=state))

    def test_a_stranger_s_bill_is_not_there(self, show, make_bill, database):
        with database.session() as session:
            strange = factories.make_house(session).id

        with pytest.raises(NotFound):
            show(make_bill(strange))

    @pytest.mark.parametrize("bill_id", [0, -1, 404, 2**63 - 1])
    def test_no_such_bill(self, show, bill_id):
        with pytest.raises(NotFound):
            show(bill_id)

    @pytest.mark.parametrize("actor", [visitor(), operator()])
    def test_only_with_the_permission(self, services, actor):
        with pytest.raises(NotAllowed):
            services.own_bills.show(actor=actor, bill_id=1)


class TestSumOutstanding:
    def test_what_is_left_over_all_houses(self, outstanding, make_house, make_bill):
        one, other = make_house(), make_house()
        make_bill(one, lines=(21002,))
        make_bill(one, lines=(5000,), state="partially_paid", paid_fen=1000)
        make_bill(other, lines=(300,))
        make_bill(other, lines=(700,), state="paid", paid_fen=700)
        for state in HIDDEN:
            make_bill(other, state=state)
        make_bill(make_house("tenant"))

        assert outstanding() == Outstanding(3, 25302, late_fee_fen=0, discount_fen=0)

    def test_who_owes_nothing_has_a_zero(self, outstanding):
        assert outstanding() == Outstanding(0, 0, 0, 0)

    @pytest.mark.parametrize("actor", [visitor(), operator()])
    def test_only_with_the_permission(self, services, actor):
        with pytest.raises(NotAllowed):
            services.own_bills.sum_outstanding(actor=actor)
