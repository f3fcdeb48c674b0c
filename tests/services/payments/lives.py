"""A random life of two houses through every way in which money comes and goes, and what it adds to.

A seed chooses what is tried. What came and what went is added up here, knowing nothing of how it is
booked, and compared with bills, balances, statements, reports and what payers are shown.
"""

import random
from collections import defaultdict
from datetime import date, timedelta

from domain.actors import Role, operator, owner_actor, visitor
from domain.errors import PropertyError
from domain.payment_states import PaymentChannel, PayWay
from domain.periods import Span, local_date
from domain.refund_states import SurplusPolicy
from services.approvals.requests import Payout
from services.pay_ports import ChannelRefund, ChannelTrade, RefundWord, TradeState
from services.payments.money_in import MoneyIn
from services.payments.order_rows import HowToPay
from services.reports.tables import CashBy, OfflineBy, ReportFilter
from services.statement_accounts import AccountKind, read_accounts
from tests import factories
from tests.services.payments.conftest import SYSTEM

PAYOUT = Payout(channel="cash", payee_name="张三", payee_phone="19900000001")
COUNTER = (PaymentChannel.CASH, PaymentChannel.CARD)
AT_DOOR = (PayWay.NATIVE, PayWay.H5, PayWay.ALIPAY_WAP, PayWay.ALIPAY_QR)
BY_OWNER = (PayWay.NATIVE, PayWay.H5, PayWay.ALIPAY_WAP, PayWay.ALIPAY_PAGE)


class Life:
    """Two houses of one owner, their staff, and a channel that says what it likes when it does."""

    def __init__(self, services, database, seed):
        self.services, self.database = services, database
        self.clock = services.clock
        self.random = random.Random(seed)
        self.keys = 0
        self.done = defaultdict(int)
        self.refused = defaultdict(int)
        self.came = defaultdict(int)
        self.went = defaultdict(int)
        self.told = []
        self.began = local_date(self.clock.now())
        with database.session() as session:
            community = factories.make_community(
                session,
                late_fee_first=self.random.random() < 0.5,
                surplus_policy=self.random.choice(list(SurplusPolicy)),
                refund_alone_fen=self.random.choice([0, 5_000]),
            )
            building = factories.make_building(session, community=community)
            houses = [factories.make_house(session, building=building) for _ in range(2)]
            owner = factories.make_owner(session, house=houses[0], phone="19900000001")
            account = factories.make_account(session, owner=owner, houses=houses)
            self.items = [factories.make_item(session, community=community).id for _ in range(2)]
            for item_id in self.items[: self.random.randint(0, 2)]:
                item = session.get_one(factories.FeeItem, item_id)
                factories.make_late_fee_rule(session, item=item, cap_ratio="0.2")
            if self.random.random() < 0.5:
                item = session.get_one(factories.FeeItem, self.items[-1])
                factories.make_early_discount(session, item=item, early_days=60)
            self.community_id = community.id
            self.house_ids = [house.id for house in houses]
            self.owner = owner_actor(account_id=account.id)
            self.finance, self.manager, self.manager2, self.cashier = (
                factories.staff(session, role)
                for role in (Role.FINANCE, Role.MANAGER, Role.MANAGER, Role.CASHIER)
            )
        services.pay_codes.make(actor=self.manager, community_id=self.community_id)
        self.tokens = [
            services.pay_codes.show_token(
                actor=self.manager, community_id=self.community_id, house_id=house_id
            )
            for house_id in self.house_ids
        ]
        self.month = 0

    def live(self, steps, *, after_each=lambda act: None):
        acts = {
            self.publish: 8,
            self.start: 8,
            self.start_at_door: 4,
            self.tell: 12,
            self.tell_again: 3,
            self.give_up: 4,
            self.take: 6,
            self.take_late: 2,
            self.reverse: 4,
            self.shift: 4,
            self.ask_refund: 8,
            self.decide: 10,
            self.say_of_refund: 10,
            self.ask_about_bill: 6,
            self.place: 4,
            self.offset: 4,
            self.refund_prepaid: 2,
            self.transfer: 2,
            self.wait: 8,
        }
        self.publish()
        for _ in range(steps):
            act = self.random.choices(list(acts), list(acts.values()))[0]
            try:
                act()
            except PropertyError as refused:
                self.refused[act.__name__, type(refused).__name__] += 1
            except IndexError:
                continue
            else:
                self.done[act.__name__] += 1
            after_each(act.__name__)

    def key(self):
        self.keys += 1
        return f"life-{self.keys:08d}"

    def rows(self, sql, **values):
        found = self.database.rows(sql, **values)
        if not found:
            raise IndexError
        return found

    def pick(self, sql, **values):
        return self.random.choice(self.rows(sql, **values))

    def fen(self, most):
        return self.random.choice([1, self.random.randint(1, most), most])

    def wait(self):
        span = self.random.choice([timedelta(minutes=9), timedelta(hours=13), timedelta(days=6)])
        # The platform takes no order that stays open for more than 90 days by its own clock.
        if local_date(self.clock.now() + span) - self.began < timedelta(days=80):
            self.clock.set(self.clock.now() + span)

    def publish(self):
        first = date(2024, 1, 1) + timedelta(days=40 * self.month)
        self.month += 1
        today = local_date(self.clock.now())
        with self.database.session() as session:
            for house_id in self.house_ids:
                factories.make_bill(
                    session,
                    house=session.get_one(factories.House, house_id),
                    item=session.get_one(factories.FeeItem, self.random.choice(self.items)),
                    lines=tuple(self.random.randint(1, 20_000) for _ in range(2)),
                    period_from=first,
                    period_until=first + timedelta(days=30),
                    issue_date=today - timedelta(days=self.random.choice([0, 50])),
                    due_date=today + timedelta(days=self.random.randint(-40, 20)),
                    published_at=self.clock.now(),
                )

    def start(self):
        bills = self.rows(
            "SELECT id FROM bill WHERE state IN ('published', 'partially_paid', 'paid')"
        )
        count = min(len(bills), self.random.randint(0, 3))
        chosen = self.random.sample([row["id"] for row in bills], count)
        topup = self.random.choice([0, self.random.randint(1, 5_000)])
        self.services.payments.start(
            actor=self.owner,
            bill_ids=chosen,
            idempotency_key=self.key(),
            topup_fen=topup,
            topup_house_id=self.random.choice(self.house_ids) if topup else None,
            how=HowToPay(self.random.choice(BY_OWNER), "1.2.3.4", "http://127.0.0.1/x"),
        )

    def start_at_door(self):
        self.services.door.start(
            actor=visitor(),
            token=self.random.choice(self.tokens),
            how=HowToPay(self.random.choice(AT_DOOR), "1.2.3.4", "http://127.0.0.1/x"),
            client_key=self.key(),
        )

    def tell(self):
        """The channel says that an order was paid, whatever became of it; sometimes twice."""
        order = self.pick("SELECT * FROM payment_order")
        trade = ChannelTrade(
            channel=order["channel"],
            mchid=order["mchid"],
            appid=order["appid"],
            out_trade_no=order["out_trade_no"],
            state=TradeState.SUCCESS,
            transaction_id=f"42{order['out_trade_no']}{self.random.choice([1, 1, 1, 2])}",
            amount_fen=order["amount_fen"] + self.random.choice([0] * 15 + [1]),
            currency="CNY",
            paid_at=self.clock.now(),
        )
        if trade.transaction_id in {one.transaction_id for one in self.told}:
            raise IndexError
        self.told.append(trade)
        self.came[trade.channel] += trade.amount_fen
        self.services.settlement.settle(actor=SYSTEM, trade=trade)

    def tell_again(self):
        trade = self.random.choice(self.told)
        self.services.settlement.settle(actor=SYSTEM, trade=trade)

    def give_up(self):
        order = self.pick("SELECT id FROM payment_order WHERE account_id IS NOT NULL")
        self.services.payments.cancel(actor=self.owner, payment_id=order["id"])

    def _take(self, actor, **changes):
        money = MoneyIn(
            **{
                "channel": self.random.choice(COUNTER),
                "amount_fen": self.fen(30_000),
                "payer_name": "王五",
            }
            | changes
        )
        house_id = self.random.choice(self.house_ids)
        named = ()
        if self.random.random() < 0.3:
            named = (self.pick("SELECT id FROM bill WHERE house_id = :id", id=house_id)["id"],)
        key = self.key()
        for _ in range(self.random.choice([1, 2])):
            self.services.counter.take(
                actor=actor,
                community_id=self.community_id,
                house_id=house_id,
                money=money,
                named_bill_ids=named,
                client_key=key,
            )
        self.came[money.channel] += money.amount_fen

    def take(self):
        self._take(self.random.choice([self.cashier, self.finance]))

    def take_late(self):
        day = local_date(self.clock.now()) - timedelta(days=self.random.randint(1, 30))
        self._take(self.finance, received_on=day, note="昨天收的")

    def reverse(self):
        receipt = self.pick(
            "SELECT receipt_no, channel, payment.amount_fen FROM receipt"
            " JOIN payment ON payment.id = payment_id ORDER BY receipt.id DESC LIMIT 4"
        )
        self.services.reversals.reverse(
            actor=self.random.choice([self.manager, self.finance]),
            community_id=self.community_id,
            receipt_no=receipt["receipt_no"],
            reason="录错",
        )
        self.went[receipt["channel"]] += receipt["amount_fen"]

    def shift(self):
        actor = self.random.choice([self.cashier, self.finance])
        act = self.random.choice(["begin_close", "reopen", "count", "count"])
        more = {"counted_fen": {PaymentChannel.CASH: 5}} if act == "count" else {}
        getattr(self.services.shifts, act)(actor=actor, community_id=self.community_id, **more)

    def ask_refund(self):
        payment = self.pick("SELECT * FROM payment WHERE channel NOT IN ('prepaid', 'deposit')")
        is_online = payment["channel"] in ("wechat", "alipay")
        amount_fen = self.random.choice([payment["amount_fen"], self.fen(payment["amount_fen"])])
        bill_id = None
        if self.random.random() < 0.3:
            bill_id = self.pick(
                "SELECT bill_id FROM allocation WHERE payment_id = :id", id=payment["id"]
            )["bill_id"]
        asked = self.services.payment_refund_requests.ask(
            actor=self.random.choice([self.finance, self.manager2]),
            community_id=self.community_id,
            payment_id=payment["id"],
            amount_fen=amount_fen,
            reason="业主申请",
            bill_id=bill_id,
            payout=None if is_online else PAYOUT,
        )
        if asked.is_decided and not is_online:
            self.went["cash"] += amount_fen

    def decide(self):
        for one in self.rows(
            "SELECT * FROM approval_request WHERE state = 'requested' ORDER BY id"
        ):
            if self.random.random() < 0.2:
                self.services.money_decisions.reject(
                    actor=self.manager, request_id=one["id"], note="不"
                )
                continue
            try:
                self.services.money_decisions.approve(actor=self.manager, request_id=one["id"])
            except PropertyError as refused:
                self.refused["approve", type(refused).__name__] += 1
                continue
            if one["facts"].get("channel"):
                self.went[one["facts"]["channel"]] += one["amount_fen"]

    def say_of_refund(self):
        """The channel says something of a refund; money went only with the first end it has."""
        refund = self.pick(
            "SELECT refund.*, payment.mchid, payment.out_trade_no FROM refund"
            " JOIN payment ON payment.id = payment_id WHERE refund.channel IN ('wechat', 'alipay')"
        )
        word = self.random.choice([RefundWord.SUCCESS] * 3 + list(RefundWord))
        if word is RefundWord.SUCCESS and refund["state"] in ("processing", "abnormal"):
            self.went[refund["channel"]] += refund["amount_fen"]
        self.services.refunds.take_word(
            ChannelRefund(
                channel=refund["channel"],
                mchid=refund["mchid"],
                out_trade_no=refund["out_trade_no"],
                refund_no=refund["refund_no"],
                word=word,
                provider_refund_id="50",
                amount_fen=refund["amount_fen"],
                refunded_at=self.clock.now() if word is RefundWord.SUCCESS else None,
            ),
            request_id="",
        )

    def ask_about_bill(self):
        kind = self.random.choice(["waiver", "void", "void", "write_off", "late_fee_waiver"])
        bill = self.pick("SELECT * FROM bill")
        more = {} if kind in ("void", "write_off") else {"amount_fen": self.fen(9_000)}
        if kind == "waiver" and self.random.random() < 0.5:
            more = {"amount_fen": max(bill["amount_fen"] - bill["paid_fen"], 1)}
        getattr(self.services.money_requests, f"request_{kind}")(
            actor=self.finance, bill_id=bill["id"], reason="测试", **more
        )

    def place(self):
        one = self.pick("SELECT * FROM suspense")
        self.services.suspense.to_prepaid(
            actor=self.finance,
            community_id=self.community_id,
            suspense_id=one["id"],
            house_id=self.random.choice(self.house_ids),
            amount_fen=self.fen(one["amount_fen"]),
            note="核实",
        )

    def offset(self):
        if self.random.random() < 0.5:
            self.services.prepaid_offsets.offset_due(actor=SYSTEM)
        else:
            self.services.prepaid_offsets.offset_community(
                actor=self.finance, community_id=self.community_id
            )

    def refund_prepaid(self):
        account = self.pick("SELECT * FROM prepaid_account WHERE balance_fen > 0")
        self.services.money_requests.request_prepaid_refund(
            actor=self.finance,
            account_id=account["id"],
            amount_fen=self.fen(account["balance_fen"]),
            payout=PAYOUT,
            reason="搬走",
        )

    def transfer(self):
        account = self.pick("SELECT * FROM prepaid_account WHERE balance_fen > 0")
        self.services.prepaid.transfer(
            actor=self.manager,
            from_account_id=account["id"],
            to_house_id=self.random.choice(self.house_ids),
            to_fee_item_id=self.random.choice([None, *self.items]),
            amount_fen=self.fen(account["balance_fen"]),
            reason="换房",
            client_key=self.key(),
        )

    # What is looked at.

    def check(self, act):
        broken = [one for one in self.services.ledger.verify(actor=operator()) if not one.holds]
        assert broken == [], act
        self._check_sums()
        self._check_reports()
        self._check_statements()
        self._check_views()

    def value(self, sql, **values):
        return int(self.database.value(f"SELECT coalesce(({sql}), 0)", **values))

    def held_fen(self):
        """What is on bills, prepaid, in suspense, or set aside for a refund on its way."""
        waits_fen = self.value("SELECT sum(amount_fen) FROM suspense") - self.value(
            "SELECT sum(amount_fen) FROM suspense_resolution"
        )
        aside_fen = self.value(
            "SELECT sum(part.amount_fen) FROM refund_part part JOIN refund ON refund.id = refund_id"
            " WHERE source = 'prepaid' AND state IN ('processing', 'abnormal')"
        )
        on_bills_fen = self.value("SELECT sum(amount_fen) FROM allocation")
        ahead_fen = self.value("SELECT sum(balance_fen) FROM prepaid_account")
        return on_bills_fen + ahead_fen + waits_fen + aside_fen

    def _check_sums(self):
        assert sum(self.came.values()) - sum(self.went.values()) == self.held_fen()

    def _check_reports(self):
        tomorrow = local_date(self.clock.now()) + timedelta(days=1)
        days = Span(self.began - timedelta(days=40), tomorrow)
        which = ReportFilter(self.community_id, span=days)
        for by in CashBy:
            report = self.services.reports.cash_in(actor=self.finance, which=which, by=by)
            total = report.totals
            assert total.amount_fen == sum(self.came.values())
            for row in (*report.rows, total):
                assert row.amount_fen == (
                    row.principal_fen
                    + row.late_fee_fen
                    + row.prepaid_fen
                    + row.deposit_fen
                    + row.suspense_fen
                )
        for by in OfflineBy:
            report = self.services.reports.offline(actor=self.finance, which=which, by=by)
            came = sum(fen for way, fen in self.came.items() if way in COUNTER)
            went = sum(fen for way, fen in self.went.items() if way in COUNTER)
            assert (report.totals.received_fen, report.totals.net_fen) == (came, came - went)

    def _check_statements(self):
        today = local_date(self.clock.now())
        first = self.began - timedelta(days=60)
        with self.services.outbox.unit_of_work.snapshot() as session:
            for house_id in self.house_ids:
                owed, *held = read_accounts(
                    session, house_id=house_id, from_on=first, until_on=today
                )
                assert owed.closing_fen == self._owed_fen(house_id)
                at_day_end = {entry.on: entry.balance_fen for entry in owed.entries}
                # Money of an earlier day may be before what it pays was owed again.
                assert self.done["take_late"] or all(fen >= 0 for fen in at_day_end.values())
                ahead_fen = sum(one.closing_fen for one in held if one.kind is AccountKind.PREPAID)
                assert ahead_fen == self.value(
                    "SELECT sum(balance_fen) FROM prepaid_account WHERE house_id = :id", id=house_id
                )

    def _owed_fen(self, house_id):
        return self.value(
            "SELECT sum(amount_fen - paid_fen) FROM bill WHERE house_id = :id"
            " AND state IN ('published', 'partially_paid', 'paid')",
            id=house_id,
        ) + self.value(
            "SELECT sum(greatest(frozen_fen - fee.paid_fen - waived_fen, 0))"
            " FROM bill_late_fee fee JOIN bill ON bill.id = bill_id"
            " WHERE house_id = :id AND state = 'paid'",
            id=house_id,
        )

    def _check_views(self):
        for view in self.services.payments.list_own(actor=self.owner, before_id=None, limit=500):
            assert 0 <= view.refunded_fen <= view.amount_fen + 1
            assert (view.receipt_no is not None) <= (view.paid_at is not None)
