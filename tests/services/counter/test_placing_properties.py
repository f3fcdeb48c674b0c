"""Random bills, money by every way, days that pass: every fen is somewhere, once, and rightly."""

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

from domain.actors import operator
from domain.errors import Conflict, NotFound
from domain.payment_states import PaymentChannel
from domain.periods import local_date
from services.late_fees import read_accrued
from services.payments.money_in import MoneyIn
from tests import factories
from tests.services.payments.conftest import SYSTEM


class Counter(RuleBasedStateMachine):
    """A house with bills of an item with late fee and discount, a cashier, and the clock."""

    services = None
    database = None

    @initialize(
        bills=st.lists(
            st.tuples(st.lists(st.integers(1, 99_999), min_size=1, max_size=3), st.integers(0, 60)),
            min_size=1,
            max_size=4,
        ),
        late_fee_first=st.booleans(),
        has_discount=st.booleans(),
        cap_ratio=st.sampled_from([None, "0.01", "0.3"]),
    )
    def set_the_scene(self, bills, late_fee_first, has_discount, cap_ratio):
        self.database.empty()
        self.services.clock.reset()
        self.keys, self.came_fen, self.frozen = 0, 0, {}
        today = local_date(self.services.clock.now())
        with self.database.session() as session:
            community = factories.make_community(session, late_fee_first=late_fee_first)
            building = factories.make_building(session, community=community)
            house = factories.make_house(session, building=building)
            item = factories.make_item(session, community=community)
            factories.make_late_fee_rule(
                session, item=item, daily_rate="0.001", cap_ratio=cap_ratio
            )
            if has_discount:
                factories.make_early_discount(session, item=item, early_days=20)
            self.bill_ids = []
            for number, (lines, days_late) in enumerate(bills):
                due = today - timedelta(days=days_late)
                bill = factories.make_bill(
                    session,
                    house=house,
                    item=item,
                    lines=tuple(lines),
                    due_date=due,
                    issue_date=due - timedelta(days=10),
                    period_from=today - timedelta(days=100 * number + 100),
                    period_until=today - timedelta(days=100 * number + 10),
                )
                self.bill_ids.append(bill.id)
            self.community_id, self.house_id = community.id, house.id
            self.cashier = factories.staff(session, role="finance")

    def _money(self, amount_fen):
        self.keys += 1
        return {
            "community_id": self.community_id,
            "house_id": self.house_id,
            "actor": self.cashier,
            "money": MoneyIn(PaymentChannel.CASH, amount_fen, "王五"),
            "client_key": f"key-{self.keys:08d}",
        }

    @rule(amount_fen=st.integers(1, 150_000), named=st.none() | st.integers(0, 3))
    def take(self, amount_fen, named):
        ids = [self.bill_ids[named % len(self.bill_ids)]] if named is not None else []
        money = self._money(amount_fen)
        try:
            first = self.services.counter.take(**money, named_bill_ids=ids)
        except Conflict:
            return
        assert self.services.counter.take(**money, named_bill_ids=ids) == first
        self.came_fen += amount_fen

    @rule(amount_fen=st.integers(1, 50_000))
    def take_a_deposit(self, amount_fen):
        self.services.deposits.take(**self._money(amount_fen), name="押金")
        self.came_fen += amount_fen

    @rule(amount_fen=st.integers(1, 50_000), index=st.integers(0, 3))
    def deduct(self, amount_fen, index):
        deposit_ids = self.database.rows("SELECT id FROM deposit ORDER BY id")
        if not deposit_ids:
            return
        self.keys += 1
        try:
            self.services.deposits.deduct(
                actor=self.cashier,
                deposit_id=deposit_ids[index % len(deposit_ids)]["id"],
                bill_id=self.bill_ids[index % len(self.bill_ids)],
                amount_fen=amount_fen,
                reason="抵扣",
                client_key=f"key-{self.keys:08d}",
            )
        except (Conflict, NotFound):
            return

    @rule()
    def offset(self):
        self.services.prepaid_offsets.offset_due(actor=SYSTEM)
        balance_fen = self.database.value(
            "SELECT coalesce(sum(balance_fen), 0) FROM prepaid_account"
        )
        if balance_fen:
            assert self._open_fen() == 0

    @rule(days=st.integers(1, 40))
    def wait(self, days):
        self.services.clock.advance(days=days)

    def _accrued(self):
        today = local_date(self.services.clock.now())
        with self.services.outbox.unit_of_work.reading() as session:
            return read_accrued(session, self.bill_ids, today)

    def _open_fen(self):
        open_fen = self.database.value(
            "SELECT coalesce(sum(amount_fen - paid_fen), 0) FROM bill WHERE state <> 'paid'"
        )
        return open_fen + sum(each.open_fen for each in self._accrued().values())

    @invariant()
    def every_fen_that_came_is_somewhere_once(self):
        if not hasattr(self, "came_fen"):
            return
        placed = self.database.value("SELECT coalesce(sum(amount_fen), 0) FROM allocation")
        ahead = self.database.value("SELECT coalesce(sum(balance_fen), 0) FROM prepaid_account")
        held = self.database.value(
            "SELECT coalesce(sum(amount_fen - deducted_fen - returned_fen), 0) FROM deposit"
        )
        assert placed + ahead + held == self.came_fen

    @invariant()
    def a_late_fee_is_frozen_for_good(self):
        if not hasattr(self, "frozen"):
            return
        for bill_id, accrued in self._accrued().items():
            if accrued.is_frozen:
                assert self.frozen.setdefault(bill_id, accrued.total_fen) == accrued.total_fen
            assert accrued.paid_fen + accrued.waived_fen <= accrued.total_fen

    @invariant()
    def every_promise_holds(self):
        if not hasattr(self, "came_fen"):
            return
        checks = self.services.ledger.verify(actor=operator())
        assert [check for check in checks if not check.holds] == []


@pytest.mark.slow
class TestPlacingProperties:
    def test_no_order_of_events_loses_or_doubles_a_fen(self, app, services, database):
        Counter.services, Counter.database = services, database
        run_state_machine_as_test(
            Counter,
            settings=settings(
                max_examples=25,
                stateful_step_count=12,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
