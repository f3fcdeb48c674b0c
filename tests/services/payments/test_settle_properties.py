"""Notices repeated, late, out of order, refunds in any state: the sums hold all along."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from domain.actors import Role, operator, owner_actor
from domain.bill_states import BILL_MOVES, BillState
from domain.errors import Conflict, NotFound
from domain.payment_states import ORDER_MOVES, OrderState
from domain.periods import local_date
from domain.refund_states import REFUND_MOVES, RefundState, SurplusPolicy
from services.approvals.requests import RequestPending
from services.pay_ports import ChannelRefund, ChannelTrade, RefundWord, TradeState
from services.payments.refund_rows import MoreThanRefundable
from tests import factories
from tests.services.payments.conftest import SYSTEM
from tests.world import merchant_of, miniapp_of


def reachable(moves, state):
    """All states that some path of the table leads to: one step of ours may be many of its."""
    found, open_ = {state}, [state]
    while open_:
        for new in moves[open_.pop()] - found:
            found.add(new)
            open_.append(new)
    return found


class Payments(RuleBasedStateMachine):
    """An owner with three bills, a channel that pays and tells in any order, staff that void."""

    services = None
    database = None
    simulator = None

    @initialize(
        amounts=st.lists(st.integers(1, 99_999), min_size=3, max_size=3),
        days_late=st.integers(0, 90),
        is_late_fee_on=st.booleans(),
        is_discount_on=st.booleans(),
        policy=st.sampled_from(SurplusPolicy),
    )
    def set_the_scene(self, amounts, days_late, is_late_fee_on, is_discount_on, policy):
        self.database.empty()
        self.services.clock.reset()
        self.waited = 0
        self.simulator.post("reset")
        self.told, self.paid, self.keys, self.seen = [], {}, 0, {}
        person = self.simulator.person("19900000001")
        with self.database.session() as session:
            house = factories.make_house(session)
            owner = factories.make_owner(session, house=house, phone="19900000001")
            account = factories.make_account(session, owner=owner, houses=[house])
            factories.make_identity(
                session,
                account=account,
                appid=miniapp_of(self.services),
                openid=person["openid_miniapp"],
            )
            self.bill_ids = [
                factories.make_bill(session, house=house, lines=(fen // 2, fen - fen // 2)).id
                if fen > 1
                else factories.make_bill(session, house=house, lines=(fen,)).id
                for fen in amounts
            ]
            self.actor = owner_actor(account_id=account.id)
            self.asker = factories.staff(session, Role.CUSTOMER_SERVICE)
            self.manager = factories.staff(session, Role.MANAGER)
            for item in session.query(factories.FeeItem):
                if is_late_fee_on:
                    factories.make_late_fee_rule(session, item=item, cap_ratio="0.1")
                if is_discount_on:
                    factories.make_early_discount(session, item=item, early_days=36500)
        self.database.do(
            "UPDATE bill SET due_date = :due",
            due=local_date(self.services.clock.now()) - timedelta(days=days_late),
        )
        self.database.do("UPDATE community SET surplus_policy = :policy", policy=policy)
        self.house_id, self.community_id = house.id, house.community_id
        self.orders = []

    @rule(days=st.integers(1, 10))
    def wait(self, days):
        # The platform takes no order that stays open for long by its own clock.
        if self.waited + days <= 30:
            self.waited += days
            self.services.clock.advance(days=days)

    @rule(chosen=st.sets(st.integers(0, 2)), topup_fen=st.integers(0, 500))
    def start(self, chosen, topup_fen):
        if not (chosen or topup_fen):
            return
        self.keys += 1
        try:
            started = self.services.payments.start(
                actor=self.actor,
                bill_ids=[self.bill_ids[index] for index in sorted(chosen)],
                idempotency_key=f"key-{self.keys:08d}",
                topup_fen=topup_fen,
                topup_house_id=self.house_id if topup_fen else None,
            )
        except (Conflict, NotFound):
            return
        if started.payment not in self.orders:
            self.orders.append(started.payment)

    def _trade(self, order, number):
        return ChannelTrade(
            channel="wechat",
            mchid=merchant_of(self.services),
            appid=miniapp_of(self.services),
            out_trade_no=order.out_trade_no,
            state=TradeState.SUCCESS,
            transaction_id=f"42{order.out_trade_no}{number}",
            amount_fen=order.amount_fen,
            currency="CNY",
            paid_at=self.services.clock.now(),
        )

    @rule(data=st.data(), number=st.integers(1, 2))
    def be_told(self, data, number):
        """The channel says that an order was paid; with number 2, by a second transaction."""
        if not self.orders:
            return
        trade = self._trade(data.draw(st.sampled_from(self.orders)), number)
        self.services.settlement.settle(actor=SYSTEM, trade=trade)
        self.paid[trade.transaction_id] = trade.amount_fen
        self.told.append(trade)

    @rule(data=st.data())
    def be_told_again(self, data):
        if self.told:
            trade = data.draw(st.sampled_from(self.told))
            self.services.settlement.settle(actor=SYSTEM, trade=trade)

    @rule(data=st.data())
    def give_up(self, data):
        if self.orders:
            order = data.draw(st.sampled_from(self.orders))
            self.services.payments.cancel(actor=self.actor, payment_id=order.id)

    @rule(index=st.integers(0, 2))
    def void_an_unpaid_bill(self, index):
        voided = self.database.do(
            "UPDATE bill SET state = 'voided' WHERE id = :id AND state = 'published'"
            " AND NOT EXISTS (SELECT FROM bill_lock WHERE bill_id = :id)",
            id=self.bill_ids[index],
        )
        if voided:
            with self.database.session() as session:
                bill = session.get_one(factories.Bill, self.bill_ids[index])
                factories.make_approval(session, bill=bill, kind="void", amount_fen=1)

    @rule(data=st.data(), part=st.integers(1, 4))
    def be_refunded(self, data, part):
        """Staff ask for a part of a payment back, another approves; the channel says nothing yet.

        Whatever is asked for, no more is given back than is there: that is what the sums check.
        """
        payments = self.database.rows("SELECT id, amount_fen FROM payment WHERE channel = 'wechat'")
        if not payments:
            return
        payment = data.draw(st.sampled_from(payments))
        try:
            asked = self.services.payment_refund_requests.ask(
                actor=self.asker,
                community_id=self.community_id,
                payment_id=payment["id"],
                amount_fen=max(payment["amount_fen"] // part, 1),
                reason="业主申请",
            )
        except (MoreThanRefundable, RequestPending):
            return
        self.services.money_decisions.approve(actor=self.manager, request_id=asked.request_id)

    @rule(data=st.data(), word=st.sampled_from(RefundWord))
    def be_told_of_a_refund(self, data, word):
        """The channel says something of a refund, in any order, also after it has ended."""
        refunds = self.database.rows(
            "SELECT refund_no, refund.amount_fen, out_trade_no FROM refund"
            " JOIN payment ON payment.id = payment_id ORDER BY refund.id"
        )
        if not refunds:
            return
        refund = data.draw(st.sampled_from(refunds))
        self.services.refunds.take_word(
            ChannelRefund(
                channel="wechat",
                mchid=merchant_of(self.services),
                out_trade_no=refund["out_trade_no"],
                refund_no=refund["refund_no"],
                word=word,
                amount_fen=refund["amount_fen"],
                refunded_at=self.services.clock.now(),
            ),
            request_id="",
        )

    @invariant()
    def every_fen_that_came_is_somewhere_once(self):
        if not hasattr(self, "paid"):
            return
        came = sum(self.paid.values())
        placed = self.database.value("SELECT coalesce(sum(amount_fen), 0) FROM allocation")
        kept = self.database.value(
            "SELECT coalesce(sum(amount_fen), 0)"
            " - (SELECT coalesce(sum(amount_fen), 0) FROM suspense_resolution) FROM suspense"
        )
        ahead = self.database.value("SELECT coalesce(sum(balance_fen), 0) FROM prepaid_account")
        gone = self.database.value(
            "SELECT coalesce(sum(amount_fen), 0) FROM refund WHERE state = 'succeeded'"
        )
        set_aside = self.database.value(
            "SELECT coalesce(sum(part.amount_fen), 0) FROM refund_part part"
            " JOIN refund ON refund.id = refund_id"
            " WHERE source = 'prepaid' AND state IN ('processing', 'abnormal')"
        )
        assert placed + kept + ahead + gone + set_aside == came

    @invariant()
    def no_payment_gives_back_more_than_it_brought(self):
        if not hasattr(self, "paid"):
            return
        assert (
            self.database.rows(
                "SELECT payment.id FROM payment JOIN refund ON payment_id = payment.id"
                " WHERE refund.state <> 'failed' GROUP BY payment.id"
                " HAVING sum(refund.amount_fen) > payment.amount_fen"
            )
            == []
        )

    @invariant()
    def no_state_leaves_its_table(self):
        if not hasattr(self, "paid"):
            return
        for table, states, moves in (
            ("bill", BillState, BILL_MOVES),
            ("payment_order", OrderState, ORDER_MOVES),
            ("refund", RefundState, REFUND_MOVES),
        ):
            for row in self.database.rows(f"SELECT id, state FROM {table}"):
                now, key = states(row["state"]), (table, row["id"])
                assert now in reachable(moves, self.seen.get(key, now))
                self.seen[key] = now

    @invariant()
    def every_promise_holds(self):
        if not hasattr(self, "paid"):
            return
        checks = self.services.ledger.verify(actor=operator())
        assert [check for check in checks if not check.holds] == []


@pytest.mark.slow
class TestSettleProperties:
    def test_no_order_of_events_loses_or_doubles_a_fen(self, app, services, database, simulator):
        Payments.services, Payments.database = services, database
        Payments.simulator = simulator
        run_state_machine_as_test(
            Payments,
            settings=settings(
                max_examples=25,
                stateful_step_count=15,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
