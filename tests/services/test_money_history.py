"""A random life of a house: bills, money in, money back, voids, waivers, write-offs, late fees.

Whatever happens in whatever order, every promise of the ledger holds after each step, and what came
in is what went somewhere.
"""

from datetime import UTC, date, datetime

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

from domain.actors import Role, operator, system_actor
from domain.errors import Conflict, InvalidInput, NotFound
from domain.payment_states import PaymentChannel
from domain.periods import add_months, local_date
from services.approvals.requests import Payout
from services.payments.money_in import MoneyIn
from tests import factories

SYSTEM = system_actor("测试")
REFUSALS = (Conflict, InvalidInput, NotFound)
PAYOUT = Payout("cash", "陈建", "19900000001")
AMOUNTS = st.integers(1, 60_000)


class History(RuleBasedStateMachine):
    """One house with two items, a cashier, an accountant who asks and a manager who decides."""

    services = None
    database = None

    @initialize(late_fees=st.booleans(), late_fee_first=st.booleans())
    def set_the_scene(self, late_fees, late_fee_first):
        self.database.empty()
        self.services.clock.set(datetime(2026, 11, 2, 2, 0, tzinfo=UTC))
        self.keys = 0
        self.month = date(2026, 9, 1)
        with self.database.session() as session:
            community = factories.make_community(session, late_fee_first=late_fee_first)
            building = factories.make_building(session, community=community)
            house = factories.make_house(session, building=building)
            other = factories.make_house(session, building=building, handover_date=None)
            items = [
                factories.make_item(session, community=community, due_days=days) for days in (0, 30)
            ]
            if late_fees:
                for item in items:
                    factories.make_late_fee_rule(session, item=item, cap_ratio="0.3")
            self.community_id, self.house_id = community.id, house.id
            self.other_house_id = other.id
            self.item_ids = [item.id for item in items]
            self.cashier = factories.staff(session, Role.CASHIER)
            self.accountant = factories.staff(session, Role.FINANCE)
            self.manager = factories.staff(session, Role.MANAGER)
        self.bill_a_month(rebill=False, changes_price=False)

    def key(self):
        self.keys += 1
        return f"history-{self.keys:06d}"

    def attempt(self, act, **more):
        """Do something that may be refused as things are; a refusal must change nothing."""
        try:
            return act(**more)
        except REFUSALS:
            return None

    def bill_ids(self):
        rows = self.database.rows("SELECT id FROM bill ORDER BY id")
        return [row["id"] for row in rows] or [404]

    @rule(days=st.integers(1, 40))
    def wait(self, days):
        self.services.clock.advance(days=days)

    @rule(rebill=st.booleans(), changes_price=st.booleans())
    def bill_a_month(self, rebill, changes_price):
        """The next month, or again the last one: only what was voided is missing there."""
        month = add_months(self.month, -1) if rebill else self.month
        late = add_months(month, 1) - local_date(self.services.clock.now())
        if late.days > 0:
            self.services.clock.advance(days=late.days)
        if changes_price:
            self.database.do("UPDATE fee_standard SET unit_price = unit_price + 0.1")
        batch_id = self.attempt(
            self.services.batches.draft,
            actor=self.accountant,
            community_id=self.community_id,
            month=month,
        )
        if batch_id is None:
            return
        self.services.generation.generate(actor=self.accountant, batch_id=batch_id)
        findings = self.services.bill_findings
        for one in findings.list_findings(actor=self.manager, batch_id=batch_id):
            findings.tick(
                actor=self.manager,
                batch_id=batch_id,
                kind=one.kind,
                fee_item_id=one.fee_item_id,
                row_count=one.row_count,
            )
        self.services.batches.approve(actor=self.manager, batch_id=batch_id)
        self.services.publication.publish(actor=self.manager, batch_id=batch_id)
        if not rebill:
            self.month = add_months(self.month, 1)

    @rule(amount_fen=AMOUNTS, named=st.booleans(), twice=st.booleans(), data=st.data())
    def pay_at_the_counter(self, amount_fen, named, twice, data):
        chosen = [data.draw(st.sampled_from(self.bill_ids()))] if named else []
        key = self.key()
        for _ in range(1 + twice):
            self.attempt(
                self.services.counter.take,
                actor=self.cashier,
                community_id=self.community_id,
                house_id=self.house_id,
                money=MoneyIn(PaymentChannel.CASH, amount_fen, "陈建"),
                named_bill_ids=chosen,
                client_key=key,
            )

    @rule(amount_fen=AMOUNTS)
    def take_a_deposit(self, amount_fen):
        self.services.deposits.take(
            actor=self.cashier,
            community_id=self.community_id,
            house_id=self.house_id,
            name="装修押金",
            money=MoneyIn(PaymentChannel.CARD, amount_fen, "陈建"),
            client_key=self.key(),
        )

    @rule(amount_fen=AMOUNTS, data=st.data())
    def deduct_from_a_deposit(self, amount_fen, data):
        deposits = self.database.rows("SELECT id FROM deposit") or [{"id": 404}]
        self.attempt(
            self.services.deposits.deduct,
            actor=self.accountant,
            deposit_id=data.draw(st.sampled_from(deposits))["id"],
            bill_id=data.draw(st.sampled_from(self.bill_ids())),
            amount_fen=amount_fen,
            reason="损坏公共设施",
            client_key=self.key(),
        )

    @rule(amount_fen=AMOUNTS)
    def move_prepaid_money(self, amount_fen):
        account = self.database.value(
            "SELECT max(id) FROM prepaid_account WHERE house_id = :id AND fee_item_id IS NULL",
            id=self.house_id,
        )
        self.attempt(
            self.services.prepaid.transfer,
            actor=self.accountant,
            from_account_id=account or 404,
            to_house_id=self.house_id,
            to_fee_item_id=self.item_ids[0],
            amount_fen=amount_fen,
            reason="转到物业费",
            client_key=self.key(),
        )

    @rule()
    def offset_prepaid_money(self):
        self.services.prepaid_offsets.offset_due(actor=SYSTEM)

    @rule(
        kind=st.sampled_from(
            ["waiver", "void", "write_off", "late_fee_waiver", "adjustment", "credit"]
        ),
        amount_fen=st.integers(1, 9_000),
        at_once=st.booleans(),
        data=st.data(),
    )
    def ask_about_a_bill(self, kind, amount_fen, at_once, data):
        more = {} if kind in ("void", "write_off") else {"amount_fen": amount_fen}
        if kind == "credit":
            kind, more = "adjustment", {"amount_fen": -amount_fen}
        self.attempt(
            getattr(self.services.money_requests, f"request_{kind}"),
            actor=self.accountant,
            bill_id=data.draw(st.sampled_from(self.bill_ids())),
            reason="测试",
            **more,
        )
        if at_once:
            self.decide_what_was_asked(approves=True)

    @rule(amount_fen=AMOUNTS)
    def ask_for_money_back(self, amount_fen):
        for table, name in (("prepaid_account", "account_id"), ("deposit", "deposit_id")):
            kind = "prepaid_refund" if name == "account_id" else "deposit_return"
            self.attempt(
                getattr(self.services.money_requests, f"request_{kind}"),
                actor=self.accountant,
                amount_fen=amount_fen,
                payout=PAYOUT,
                reason="业主申请",
                **{name: self.database.value(f"SELECT max(id) FROM {table}") or 404},
            )

    @rule(approves=st.booleans())
    def decide_what_was_asked(self, approves):
        for row in self.database.rows(
            "SELECT id FROM approval_request WHERE state = 'requested' ORDER BY id"
        ):
            decide = self.services.money_decisions
            if approves:
                self.attempt(decide.approve, actor=self.manager, request_id=row["id"])
            else:
                decide.reject(actor=self.manager, request_id=row["id"], note="不同意")

    @invariant()
    def what_came_in_is_somewhere(self):
        if not hasattr(self, "month"):
            return
        value = self.database.value
        came = value(
            "SELECT coalesce(sum(amount_fen), 0) FROM payment"
            " WHERE channel NOT IN ('prepaid', 'deposit')"
        )
        gave_back = value("SELECT coalesce(sum(amount_fen), 0) FROM refund")
        on_bills = value("SELECT coalesce(sum(amount_fen), 0) FROM allocation")
        ahead = value("SELECT coalesce(sum(balance_fen), 0) FROM prepaid_account")
        given = value(
            "SELECT coalesce(sum(amount_fen), 0) FROM prepaid_entry WHERE kind = 'correction'"
        )
        held = value(
            "SELECT coalesce(sum(amount_fen - deducted_fen - returned_fen), 0) FROM deposit"
        )
        assert came + given == on_bills + ahead + held + gave_back

    @invariant()
    def every_promise_holds(self):
        if not hasattr(self, "month"):
            return
        checks = self.services.ledger.verify(actor=operator())
        assert [check for check in checks if not check.holds] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
class TestMoneyHistory:
    def test_no_life_of_a_house_breaks_a_promise(self, app, services, database):
        History.services, History.database = services, database
        run_state_machine_as_test(
            History,
            settings=settings(
                max_examples=40,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
