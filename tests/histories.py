"""A random history of a small community, lived through the real use-cases, the same for a seed."""

import random
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import text

from domain.errors import PropertyError
from domain.late_fees import GraceMode
from domain.payment_states import PaymentChannel
from domain.periods import SHANGHAI, add_months, local_date
from models import (
    Bill,
    Deposit,
    DiscountItem,
    DiscountRule,
    House,
    Payment,
    PrepaidAccount,
    StaffTask,
    Suspense,
)
from services.approvals.decisions import MoneyDecisions
from services.approvals.requests import MoneyRequests, Payout
from services.deposits import Deposits
from services.late_fees import LateFees, NewLateFeeRule
from services.payments.money_in import MoneyIn
from services.payments.offset import PrepaidOffsets
from services.prepaid.accounts import PrepaidAccounts
from services.reports.summary import fold
from tests import factories

BEGAN = date(2026, 1, 5)
PAYOUT = Payout(channel="cash", payee_name="张三", payee_phone="19900000001")


class History:
    """Three buildings, seven houses, three items, and what happens to them."""

    def __init__(self, services, database, seed):
        self.services = services
        self.database = database
        self.clock = services.clock
        self.random = random.Random(seed)
        self.done = {}
        self._keys = 0
        unit_of_work = services.outbox.unit_of_work
        self._counter = services.counter
        self._deposits = Deposits(unit_of_work)
        self._prepaid = PrepaidAccounts(unit_of_work)
        self._offsets = PrepaidOffsets(unit_of_work)
        self._requests = MoneyRequests(unit_of_work)
        self._decisions = MoneyDecisions(unit_of_work)
        self.clock.set(datetime(2026, 1, 5, 10, tzinfo=SHANGHAI))
        self._found(LateFees(unit_of_work))

    @property
    def today(self):
        return local_date(self.clock.now())

    def _found(self, late_fees):
        with self.database.session() as session:
            community = factories.make_community(session, name="翠湖花园")
            self.community_id = community.id
            self.building_ids, self.house_ids = [], []
            for number, rooms in ((1, 3), (2, 3), (3, 1)):
                building = factories.make_building(session, community=community, name=f"{number}栋")
                self.building_ids.append(building.id)
                for room in range(rooms):
                    house = factories.make_house(session, building=building, room_no=f"10{room}")
                    self.house_ids.append(house.id)
            self.item_ids = [
                factories.make_item(session, community=community, code=code, name=name).id
                for code, name in (("WY", "物业费"), ("SF", "水费"), ("CW", "车位费"))
            ]
            self.manager = factories.staff(session, "manager")
            self.finance = factories.staff(session, "finance")
            self.cashiers = [
                factories.staff(session, "finance"),
                factories.staff(session, "cashier"),
            ]
            rule = factories.add(
                session,
                DiscountRule(
                    community_id=community.id,
                    name="提前缴费",
                    kind="early_payment",
                    percent=Decimal(2),
                    early_days=10,
                    starts_on=factories.LONG_AGO,
                    created_at=factories.MADE_AT,
                ),
            )
            session.add(DiscountItem(rule_id=rule.id, fee_item_id=self.item_ids[1]))
        for item_id in self.item_ids[:2]:
            late_fees.set_rule(
                actor=self.manager,
                fee_item_id=item_id,
                rule=NewLateFeeRule(
                    Decimal("0.001"), factories.LONG_AGO, grace_mode=GraceMode.EXEMPT
                ),
            )

    def live(self, steps, *, at_day_end=lambda: None):
        """Do so many random things over the months; look at the end of some days."""
        acts = {
            self.publish: 9,
            self.pay: 8,
            self.pay_ahead: 3,
            self.offset: 3,
            self.waive: 3,
            self.write_off: 1,
            self.void: 2,
            self.waive_late_fee: 2,
            self.transfer: 1,
            self.refund: 1,
            self.deposit: 1,
            self.deduct: 1,
            self.give_back: 1,
            self.keep_in_suspense: 1,
            self.place_suspense: 1,
            self.refund_payment: 3,
            self.reverse: 1,
            self.fold: 2,
        }
        for _ in range(2):
            self.publish()
        for _ in range(steps):
            if self.random.random() < 0.4:
                at_day_end()
                self.clock.advance(days=self.random.randint(1, 14))
            act = self.random.choices(list(acts), list(acts.values()))[0]
            try:
                act()
            except (PropertyError, IndexError):
                continue
            self.done[act.__name__] = self.done.get(act.__name__, 0) + 1
        at_day_end()

    def publish(self):
        """Publish a month's bills of one item for most houses, as a draft and then at once."""
        item_id = self.random.choice(self.item_ids)
        since = add_months(BEGAN.replace(day=1), self.random.randint(-2, 6))
        with self.database.session() as session:
            taken = set(
                session.execute(
                    text(
                        "SELECT house_id FROM bill WHERE fee_item_id = :item AND period_from = :day"
                        " AND state NOT IN ('cancelled', 'voided')"
                    ),
                    {"item": item_id, "day": since},
                ).scalars()
            )
            made = [
                factories.make_bill(
                    session,
                    house=session.get_one(House, house_id),
                    item=session.get_one(factories.FeeItem, item_id),
                    lines=tuple(
                        self.random.randint(1, 30_000) for _ in range(self.random.randint(1, 2))
                    ),
                    period_from=since,
                    period_until=add_months(since, 1),
                    issue_date=self.today,
                    due_date=self.today + timedelta(days=self.random.randint(-20, 30)),
                    state="pending_review",
                    published_at=None,
                ).id
                for house_id in self.house_ids
                if house_id not in taken and self.random.random() < 0.8
            ]
        self.database.do(
            "UPDATE bill SET state = 'published', published_at = :now WHERE id = ANY(:ids)",
            now=self.clock.now(),
            ids=made,
        )

    def pay(self):
        """Pay some or all of what a house owes, sometimes for named bills."""
        house_id = self.random.choice(self.house_ids)
        named = ()
        if self.random.random() < 0.4:
            named = (self.random.choice(self._open_bills(house_id)),)
        self._take(house_id, self.random.choice([500, 5_000, 30_000, 90_000]), named)

    def pay_ahead(self):
        """Pay far more than is owed."""
        self._take(self.random.choice(self.house_ids), 200_000)

    def _take(self, house_id, amount_fen, named=()):
        self._counter.take(
            actor=self.random.choice(self.cashiers),
            community_id=self.community_id,
            house_id=house_id,
            money=self._money(amount_fen),
            named_bill_ids=named,
            client_key=self._key(),
        )

    def _money(self, amount_fen):
        channel = self.random.choice([PaymentChannel.CASH, PaymentChannel.CARD])
        return MoneyIn(channel=channel, amount_fen=amount_fen, payer_name="张三")

    def _key(self):
        self._keys += 1
        return f"history-{self._keys:06d}"

    def _open_bills(self, *house_ids):
        return [
            row["id"]
            for row in self.database.rows(
                "SELECT id FROM bill WHERE state IN ('published', 'partially_paid')"
                " AND house_id = ANY(:ids) ORDER BY id",
                ids=list(house_ids or self.house_ids),
            )
        ]

    def offset(self):
        self._offsets.offset(actor=self.manager, house_id=self.random.choice(self.house_ids))

    def _approve(self, request_id):
        self._decisions.approve(actor=self.manager, request_id=request_id)

    def waive(self):
        bill_id = self.random.choice(self._open_bills())
        with self.database.session() as session:
            bill = session.get_one(Bill, bill_id)
            open_fen = bill.amount_fen - bill.paid_fen
        amount_fen = self.random.choice([open_fen, max(1, open_fen // 3)])
        self._approve(
            self._requests.request_waiver(
                actor=self.finance, bill_id=bill_id, amount_fen=amount_fen, reason="漏水"
            )
        )

    def write_off(self):
        self._approve(
            self._requests.request_write_off(
                actor=self.finance,
                bill_id=self.random.choice(self._open_bills()),
                reason="无法收回",
            )
        )

    def void(self):
        self._approve(
            self._requests.request_void(
                actor=self.finance, bill_id=self.random.choice(self._open_bills()), reason="出错"
            )
        )

    def waive_late_fee(self):
        """Waive a little of a late fee that is open, whether its bill is paid or not."""
        with_fee = [
            row["id"]
            for row in self.database.rows(
                "SELECT bill.id FROM bill LEFT JOIN bill_late_fee fee ON fee.bill_id = bill.id"
                " WHERE state IN ('published', 'partially_paid')"
                " OR frozen_fen > fee.paid_fen + waived_fen ORDER BY bill.id"
            )
        ]
        self._approve(
            self._requests.request_late_fee_waiver(
                actor=self.finance,
                bill_id=self.random.choice(with_fee),
                amount_fen=self.random.choice([1, 20]),
                reason="初次逾期",
            )
        )

    def _accounts(self):
        with self.database.session() as session:
            return [
                (account.id, account.balance_fen)
                for account in session.query(PrepaidAccount).order_by(PrepaidAccount.id)
                if account.balance_fen
            ]

    def transfer(self):
        account_id, balance_fen = self.random.choice(self._accounts())
        self._prepaid.transfer(
            actor=self.manager,
            from_account_id=account_id,
            to_house_id=self.random.choice(self.house_ids),
            to_fee_item_id=self.random.choice([None, self.item_ids[0]]),
            amount_fen=max(1, balance_fen // 2),
            reason="换房",
            client_key=self._key(),
        )

    def refund(self):
        account_id, balance_fen = self.random.choice(self._accounts())
        self._approve(
            self._requests.request_prepaid_refund(
                actor=self.finance,
                account_id=account_id,
                amount_fen=max(1, balance_fen // 3),
                payout=PAYOUT,
                reason="搬走",
            )
        )

    def deposit(self):
        self._deposits.take(
            actor=self.cashiers[0],
            community_id=self.community_id,
            house_id=self.random.choice(self.house_ids),
            name="装修押金",
            money=self._money(50_000),
            client_key=self._key(),
        )

    def _some_deposit(self):
        with self.database.session() as session:
            return self.random.choice(list(session.query(Deposit).order_by(Deposit.id)))

    def deduct(self):
        deposit = self._some_deposit()
        self._deposits.deduct(
            actor=self.manager,
            deposit_id=deposit.id,
            bill_id=self.random.choice(self._open_bills(deposit.house_id)),
            amount_fen=700,
            reason="损坏公物",
            client_key=self._key(),
        )

    def give_back(self):
        deposit = self._some_deposit()
        self._approve(
            self._requests.request_deposit_return(
                actor=self.finance,
                deposit_id=deposit.id,
                amount_fen=10_000,
                payout=PAYOUT,
                reason="验收合格",
            )
        )

    def keep_in_suspense(self):
        """Let WeChat money come that fits nothing."""
        with self.database.session() as session:
            payment = factories.add(
                session,
                Payment(
                    community_id=self.community_id,
                    channel="wechat",
                    mchid="1900000001",
                    provider_transaction_id=self._key(),
                    out_trade_no=self._key(),
                    amount_fen=1_234,
                    paid_at=self.clock.now(),
                    booked_at=self.clock.now(),
                ),
            )
            session.add(
                Suspense(
                    payment_id=payment.id,
                    amount_fen=1_234,
                    reason="bill_voided",
                    created_at=self.clock.now(),
                )
            )
            session.add(
                StaffTask(
                    kind="money_in_suspense",
                    subject=f"payment:{payment.id}",
                    title="暂存款",
                    created_at=self.clock.now(),
                )
            )

    def place_suspense(self):
        """Put half of some money in suspense where it belongs."""
        waiting = self.services.suspense.list_open(
            actor=self.finance, community_id=self.community_id
        )
        one = self.random.choice(waiting)
        self.services.suspense.to_prepaid(
            actor=self.finance,
            community_id=self.community_id,
            suspense_id=one.id,
            house_id=self.random.choice(self.house_ids),
            amount_fen=max(1, one.open_fen // 2),
            note="核实",
        )

    def _some_payment(self):
        return self.random.choice(
            self.database.rows(
                "SELECT payment.id, payment.amount_fen, receipt_no FROM payment"
                " JOIN receipt ON payment_id = payment.id"
                " WHERE channel IN ('cash', 'card') ORDER BY payment.id"
            )
        )

    def refund_payment(self):
        """Give some or all of a payment back over the counter."""
        payment = self._some_payment()
        asked = self.services.payment_refund_requests.ask(
            actor=self.finance,
            community_id=self.community_id,
            payment_id=payment["id"],
            amount_fen=max(1, payment["amount_fen"] // self.random.choice([1, 1, 2, 7])),
            reason="重复缴费",
            payout=PAYOUT,
        )
        self._approve(asked.request_id)

    def reverse(self):
        """Take a payment's entry back."""
        self.services.reversals.reverse(
            actor=self.manager,
            community_id=self.community_id,
            receipt_no=self._some_payment()["receipt_no"],
            reason="录错",
        )

    def fold(self):
        self.services.outbox.unit_of_work.run(fold)
