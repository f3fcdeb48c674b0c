"""What was asked for is done by somebody else's word, once, and as things are then."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from domain.actors import ActorKind, Permission, Role
from domain.approvals import ApprovalKind, ApprovalState
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.payment_states import PaymentChannel
from models import BillLock, PaymentOrder, PaymentOrderBill
from services.approvals.acts import _ACTS
from services.approvals.checks import BillHasPayment, BillNotOpen, MoreThanOpen
from services.approvals.decisions import AlreadyDecided, OverLimit, RequesterIsApprover
from services.approvals.requests import Payout, RequestPending
from services.bills.gates import BatchDoesNotAddUp
from services.payments.money_in import MoneyIn
from services.payments.taking import BillInPayment
from tests import factories
from tests.factories import actor_without
from tests.services.approvals.conftest import PAYOUT


class TestWaiver:
    def test_takes_a_line_off_the_bill_and_explains_it(
        self, ask, approve, bill, database, services, scene
    ):
        approve(ask("waiver", amount_fen=1002))

        assert (bill()["amount_fen"], bill()["state"]) == (20000, "published")
        explained = services.house_bills.explain(actor=scene.manager, bill_id=scene.bill_id)
        assert explained[-1] == "减免：业主申诉，-10.02 元"

    def test_of_all_that_is_open_pays_the_bill_off(self, ask, approve, bill):
        approve(ask("waiver", amount_fen=21002))

        assert (bill()["amount_fen"], bill()["state"]) == (0, "paid")

    def test_of_what_is_left_of_a_part_paid_bill(self, ask, approve, bill, pay):
        pay(20000)
        approve(ask("waiver", amount_fen=1002))

        assert (bill()["amount_fen"], bill()["paid_fen"], bill()["state"]) == (20000, 20000, "paid")

    def test_stops_the_late_fee_that_it_pays_off(
        self, late_fee_rule, clock, ask, approve, database
    ):
        clock.set(datetime(2026, 12, 11, 2, 0, tzinfo=UTC))
        approve(ask("waiver", amount_fen=21002))

        frozen = database.rows("SELECT frozen_fen, frozen_on FROM bill_late_fee")[0]
        assert tuple(frozen.values()) == (105, date(2026, 12, 11))  # 210.02 × 0.0005 × 10

    def test_more_than_is_open(self, ask):
        with pytest.raises(MoreThanOpen):
            ask("waiver", amount_fen=21003)

    def test_money_that_came_meanwhile_is_looked_at_again(self, ask, approve, pay, bill):
        request_id = ask("waiver", amount_fen=5000)
        pay(20000)

        with pytest.raises(MoreThanOpen):
            approve(request_id)
        assert bill()["amount_fen"] == 21002

    def test_not_while_somebody_is_paying(self, ask, approve, database, scene, bill):
        request_id = ask("waiver", amount_fen=5000)
        with database.session() as session:
            account = factories.make_account(session)
            order = factories.add(
                session,
                PaymentOrder(
                    community_id=scene.community_id,
                    account_id=account.id,
                    channel="wechat",
                    mchid="m",
                    appid="a",
                    openid="o",
                    out_trade_no="P1",
                    description="x",
                    state="prepaying",
                    amount_fen=21002,
                    created_at=factories.MADE_AT,
                    expires_at=factories.MADE_AT,
                ),
            )
            factories.add(
                session,
                PaymentOrderBill(order_id=order.id, bill_id=scene.bill_id, amount_fen=21002),
            )
            factories.add(session, BillLock(bill_id=scene.bill_id, order_id=order.id))

        with pytest.raises(BillInPayment):
            approve(request_id)


class TestVoid:
    def test_makes_room_for_another_bill_that_names_it(
        self, services, scene, ask, approve, bill, database
    ):
        approve(ask("void", actor=scene.accountant))
        assert bill()["state"] == "voided"

        batch_id = services.batches.draft(
            actor=scene.accountant, community_id=scene.community_id, month=date(2026, 10, 1)
        )
        services.generation.generate(actor=scene.accountant, batch_id=batch_id)

        fresh = database.rows("SELECT * FROM bill WHERE batch_id = :id", id=batch_id)
        assert [one["replaces_bill_id"] for one in fresh] == [scene.bill_id]

    def test_of_a_bill_with_a_payment_is_refused(self, ask, pay, scene):
        pay(1)

        with pytest.raises(BillHasPayment):
            ask("void", actor=scene.accountant)

    def test_of_a_bill_whose_late_fee_was_paid_is_refused(
        self, late_fee_rule, clock, database, ask, pay, scene
    ):
        database.do("UPDATE community SET late_fee_first = true")
        clock.set(datetime(2026, 12, 11, 2, 0, tzinfo=UTC))
        pay(105)

        with pytest.raises(BillHasPayment):
            ask("void", actor=scene.accountant)

    def test_of_a_bill_that_was_paid_since_is_refused(self, ask, approve, pay, scene, bill):
        request_id = ask("void", actor=scene.accountant)
        pay(21002)

        with pytest.raises(BillHasPayment):
            approve(request_id)
        assert bill()["state"] == "paid"

    def test_needs_its_own_permission(self, ask, scene):
        with pytest.raises(NotAllowed):
            ask("void", actor=scene.asker)


class TestWriteOff:
    def test_ends_the_bill(self, ask, approve, bill, pay):
        pay(1002)
        approve(ask("write_off"))

        assert (bill()["state"], bill()["paid_fen"]) == ("written_off", 1002)

    def test_is_asked_anew_when_more_is_open_than_was(self, ask, approve, database, bill, scene):
        request_id = ask("write_off")
        database.do("UPDATE approval_request SET amount_fen = amount_fen - 1")

        with pytest.raises(MoreThanOpen):
            approve(request_id)

    def test_of_a_paid_bill_is_refused(self, ask, pay):
        pay(21002)

        with pytest.raises(BillNotOpen):
            ask("write_off")


class TestLateFeeWaiver:
    def test_lowers_what_is_open_of_it(self, late_fee_rule, clock, ask, approve, services, scene):
        clock.set(datetime(2026, 12, 11, 2, 0, tzinfo=UTC))
        approve(ask("late_fee_waiver", amount_fen=100))
        approve(ask("late_fee_waiver", amount_fen=2))

        shown = services.late_fees.preview(actor=scene.manager, bill_id=scene.bill_id)
        assert shown.open_fen == 3

    def test_more_than_there_is(self, late_fee_rule, clock, ask):
        clock.set(datetime(2026, 12, 11, 2, 0, tzinfo=UTC))

        with pytest.raises(MoreThanOpen):
            ask("late_fee_waiver", amount_fen=106)


class TestAdjustment:
    """Source: domain.md D2: corrections are credit and debit notes on the next bill."""

    @pytest.mark.parametrize(("note_fen", "owed_fen"), [(-1000, 20002), (1000, 22002)])
    def test_changes_the_next_bill_once(
        self, ask, approve, next_month, database, note_fen, owed_fen
    ):
        approve(ask("adjustment", amount_fen=note_fen))

        [fresh] = next_month()

        assert fresh["amount_fen"] == owed_fen
        note = database.rows("SELECT state, applied_bill_id FROM bill_adjustment")[0]
        assert tuple(note.values()) == ("applied", fresh["id"])

    def test_what_the_next_bill_cannot_hold_becomes_prepaid(
        self, ask, approve, next_month, database, scene, another_bill
    ):
        approve(ask("adjustment", amount_fen=-20000))
        approve(ask("adjustment", bill_id=another_bill(5000), amount_fen=-5000))

        [fresh] = next_month()

        assert (fresh["amount_fen"], fresh["state"]) == (0, "paid")
        account = database.rows("SELECT fee_item_id, balance_fen FROM prepaid_account")[0]
        assert tuple(account.values()) == (scene.item_id, 25000 - 21002)

    def test_a_note_that_is_gone_stops_the_batch(self, ask, approve, next_month, database):
        """A note that went between generation and approval."""
        approve(ask("adjustment", amount_fen=-1000))

        with pytest.raises(BatchDoesNotAddUp):
            next_month(
                before_approval=lambda: database.do(
                    "UPDATE bill_adjustment SET state = 'cancelled'"
                )
            )

    def test_no_more_than_the_bill_was(self, ask):
        with pytest.raises(MoreThanOpen):
            ask("adjustment", amount_fen=-21003)

    def test_all_credit_notes_together_no_more_than_the_bill_was(self, ask, approve, next_month):
        approve(ask("adjustment", amount_fen=-20000))
        approve(ask("adjustment", amount_fen=50000))  # a debit makes no room

        with pytest.raises(MoreThanOpen, match="已调减 ¥200"):
            ask("adjustment", amount_fen=-1003)
        next_month()
        with pytest.raises(MoreThanOpen, match="已调减 ¥200"):
            ask("adjustment", amount_fen=-1003)
        ask("adjustment", amount_fen=-1002)

    def test_only_one_is_asked_for_at_a_time(self, ask):
        ask("adjustment", amount_fen=-20000)

        with pytest.raises(RequestPending):
            ask("adjustment", amount_fen=-20000)

    def test_the_sum_is_looked_at_again_when_it_is_decided(self, ask, approve, database):
        approve(ask("adjustment", amount_fen=-20000))
        request_id = ask("adjustment", amount_fen=-1002)
        approve(ask("waiver", amount_fen=1))

        with pytest.raises(MoreThanOpen, match="已调减"):
            approve(request_id)
        assert database.value("SELECT count(*) FROM bill_adjustment") == 1

    def test_a_cancelled_note_makes_room(self, ask, approve, database):
        approve(ask("adjustment", amount_fen=-20000))
        database.do("UPDATE bill_adjustment SET state = 'cancelled'")

        approve(ask("adjustment", amount_fen=-20000))

    def test_of_a_bill_that_was_voided_meanwhile_is_refused(self, ask, approve, scene, database):
        request_id = ask("adjustment", amount_fen=-1000)
        approve(ask("void", actor=scene.accountant))

        with pytest.raises(BillNotOpen):
            approve(request_id)
        assert database.value("SELECT count(*) FROM bill_adjustment") == 0

    def test_of_a_charge_that_comes_once_is_refused(self, ask, database):
        """No next bill would carry the note."""
        database.do("UPDATE fee_item SET charge_method = 'one_off'")

        with pytest.raises(BillNotOpen, match="临时收费账单请作废后重新录入，不能调整"):
            ask("adjustment", amount_fen=-1000)


class TestVoidWithNotes:
    @pytest.fixture
    def notes(self, database):
        return lambda: [
            tuple(note.values())
            for note in database.rows(
                "SELECT amount_fen, state, applied_bill_id FROM bill_adjustment ORDER BY id"
            )
        ]

    def test_gives_the_notes_it_carried_to_the_next_bill(
        self, services, ask, approve, scene, next_month, notes, database
    ):
        approve(ask("adjustment", amount_fen=-1000))
        approve(ask("adjustment", amount_fen=300))
        [carrier] = next_month()
        approve(ask("void", actor=scene.accountant, bill_id=carrier["id"]))

        assert notes() == [(-1000, "open", None), (300, "open", None)]
        facts = database.value("SELECT facts FROM audit_entry WHERE action = 'bill_voided'")
        assert len(facts["notes_reopened"]) == 2
        [again] = next_month()
        assert (again["replaces_bill_id"], again["amount_fen"]) == (carrier["id"], 20302)
        assert notes() == [(-1000, "applied", again["id"]), (300, "applied", again["id"])]

    def test_never_gives_twice_what_became_prepaid(
        self, ask, approve, scene, next_month, notes, another_bill
    ):
        approve(ask("adjustment", amount_fen=-20000))
        approve(ask("adjustment", bill_id=another_bill(5000), amount_fen=-5000))
        [carrier] = next_month()

        with pytest.raises(BillNotOpen, match="已有余额转入预存，不能作废，请改用账单调整"):
            ask("void", actor=scene.accountant, bill_id=carrier["id"])
        assert [state for _, state, _ in notes()] == ["applied", "applied"]

    def test_cancels_its_own_open_notes(
        self, ask, approve, scene, next_month, notes, another_bill, bill
    ):
        approve(ask("adjustment", amount_fen=-1000))
        approve(ask("adjustment", bill_id=another_bill(5000), amount_fen=-7))
        approve(ask("void", actor=scene.accountant))

        assert notes() == [(-1000, "cancelled", None), (-7, "open", None)]
        assert [one["amount_fen"] for one in next_month()] == [20995]

    def test_is_refused_once_another_bill_carries_a_note_of_it(
        self, ask, approve, scene, next_month, notes, bill
    ):
        approve(ask("adjustment", amount_fen=-1000))
        request_id = ask("void", actor=scene.accountant)
        [carrier] = next_month()

        with pytest.raises(BillNotOpen, match=f"已计入账单 {carrier['bill_no']}"):
            approve(request_id)
        assert bill()["state"] == "published"
        assert notes() == [(-1000, "applied", carrier["id"])]

    def test_is_possible_after_that_other_bill_was_voided(
        self, ask, approve, scene, next_month, notes
    ):
        approve(ask("adjustment", amount_fen=-1000))
        [carrier] = next_month()
        approve(ask("void", actor=scene.accountant, bill_id=carrier["id"]))
        approve(ask("void", actor=scene.accountant))

        assert notes() == [(-1000, "cancelled", None)]


class TestPayingBack:
    @pytest.fixture
    def account_id(self, pay, database):
        """A prepaid account with 100.00: what was paid above the bill."""
        pay(31002)
        return database.value("SELECT id FROM prepaid_account")

    @pytest.fixture
    def deposit_id(self, services, scene, database):
        with database.session() as session:
            cashier = factories.staff(session, Role.CASHIER)
        services.deposits.take(
            actor=cashier,
            community_id=scene.community_id,
            house_id=scene.house_id,
            name="装修押金",
            money=MoneyIn(PaymentChannel.CASH, 200_000, "陈建"),
            client_key="deposit-0001",
        )
        return database.value("SELECT id FROM deposit")

    def refund(self, services, scene, kind, amount_fen, **subject):
        request = getattr(services.money_requests, f"request_{kind}")
        return request(
            actor=scene.asker, amount_fen=amount_fen, payout=PAYOUT, reason="业主申请", **subject
        )

    def test_a_prepaid_balance(self, services, scene, account_id, approve, database):
        approve(self.refund(services, scene, "prepaid_refund", 4000, account_id=account_id))

        assert database.value("SELECT balance_fen FROM prepaid_account") == 6000
        refund = database.rows("SELECT amount_fen, channel, payee_name FROM refund")[0]
        assert tuple(refund.values()) == (4000, "cash", "陈建")

    def test_never_more_than_there_is_when_it_is_decided(
        self, services, scene, account_id, approve, database
    ):
        first = self.refund(services, scene, "prepaid_refund", 10000, account_id=account_id)
        approve(first)

        with pytest.raises(MoreThanOpen):
            self.refund(services, scene, "prepaid_refund", 1, account_id=account_id)

    def test_a_deposit(self, services, scene, deposit_id, approve, database):
        approve(self.refund(services, scene, "deposit_return", 150000, deposit_id=deposit_id))

        row = database.rows("SELECT returned_fen, deducted_fen FROM deposit")[0]
        assert tuple(row.values()) == (150000, 0)

    def test_more_than_the_deposit(self, services, scene, deposit_id):
        with pytest.raises(MoreThanOpen):
            self.refund(services, scene, "deposit_return", 200001, deposit_id=deposit_id)


class TestDeciding:
    def test_whoever_asked_does_not_decide(self, ask, approve, scene, bill):
        request_id = ask("waiver", actor=scene.manager, amount_fen=100)

        with pytest.raises(RequesterIsApprover):
            approve(request_id, actor=scene.manager)
        assert bill()["amount_fen"] == 21002

    def test_a_role_decides_up_to_its_limit(self, services, scene, database, approve, ask):
        with database.session() as session:
            house = session.get_one(factories.House, scene.house_id)
            item = session.get_one(factories.FeeItem, scene.item_id)
            bill_id = factories.make_bill(
                session,
                house=house,
                item=item,
                lines=(500_001,),
                period_from=date(2026, 9, 1),
                period_until=date(2026, 10, 1),
            ).id
        request_id = ask("waiver", bill_id=bill_id, amount_fen=500_001)

        with pytest.raises(OverLimit):
            approve(request_id, actor=scene.accountant)
        approve(request_id, actor=scene.manager)

    def test_the_limit_holds_for_all_of_a_house_and_day(
        self, ask, approve, scene, another_bill, clock
    ):
        bill_id = another_bill(1_500_000)
        approve(ask("waiver", bill_id=bill_id, amount_fen=300_000), actor=scene.accountant)
        second = ask("waiver", bill_id=bill_id, amount_fen=200_001)

        with pytest.raises(OverLimit, match="你今天为这户已审批 ¥3,000"):
            approve(second, actor=scene.accountant)
        clock.set(datetime(2026, 11, 20, 15, 59, tzinfo=UTC))
        with pytest.raises(OverLimit):
            approve(second, actor=scene.accountant)
        clock.set(datetime(2026, 11, 20, 16, 0, tzinfo=UTC))  # the next day in Shanghai
        approve(second, actor=scene.accountant)

    def test_up_to_the_limit_and_each_for_themselves(self, ask, approve, scene, another_bill):
        bill_id = another_bill(1_500_000)
        approve(ask("waiver", bill_id=bill_id, amount_fen=300_000), actor=scene.accountant)
        approve(ask("waiver", bill_id=bill_id, amount_fen=200_000), actor=scene.accountant)

        approve(ask("waiver", bill_id=bill_id, amount_fen=1), actor=scene.manager)

    def test_two_at_once_do_not_overlook_each_other(
        self, ask, approve, scene, another_bill, together
    ):
        first = ask("waiver", bill_id=another_bill(300_000), amount_fen=300_000)
        second = ask(
            "waiver", bill_id=another_bill(300_000, since=date(2026, 8, 1)), amount_fen=300_000
        )

        done = together(
            lambda: approve(first, actor=scene.accountant),
            lambda: approve(second, actor=scene.accountant),
        )

        assert sorted(type(one).__name__ for one in done) == ["NoneType", "OverLimit"]

    def test_a_void_has_no_limit_and_counts_towards_none(
        self, ask, approve, scene, another_bill, database
    ):
        huge = another_bill(5_000_001)
        approve(ask("void", actor=scene.accountant, bill_id=huge))
        assert database.value(f"SELECT state FROM bill WHERE id = {huge}") == "voided"

        large = another_bill(5_000_000, since=date(2026, 8, 1))
        approve(ask("waiver", bill_id=large, amount_fen=5_000_000))

    def test_once(self, ask, approve):
        request_id = ask("waiver", amount_fen=100)
        approve(request_id)

        with pytest.raises(AlreadyDecided):
            approve(request_id)

    def test_two_at_once_do_it_once(self, ask, approve, scene, bill, together):
        request_id = ask("waiver", amount_fen=100)

        done = together(
            lambda: approve(request_id, actor=scene.manager),
            lambda: approve(request_id, actor=scene.accountant),
        )

        assert sorted(type(one).__name__ for one in done) == ["AlreadyDecided", "NoneType"]
        assert bill()["amount_fen"] == 20902

    def test_rejected_nothing_happens(self, services, scene, ask, bill):
        request_id = ask("waiver", amount_fen=100)
        services.money_decisions.reject(
            actor=scene.manager, request_id=request_id, note="不符合减免条件"
        )

        assert bill()["amount_fen"] == 21002
        [shown] = services.money_decisions.list_requests(
            actor=scene.manager, community_id=scene.community_id
        )
        assert (shown.state, shown.decision_note) == (ApprovalState.REJECTED, "不符合减免条件")

    def test_a_rejection_says_why(self, services, scene, ask):
        with pytest.raises(InvalidInput):
            services.money_decisions.reject(
                actor=scene.manager, request_id=ask("waiver", amount_fen=1), note=" "
            )

    def test_no_such_request(self, approve, scene):
        with pytest.raises(NotFound):
            approve(404)

    def test_it_is_on_record(self, ask, approve, audit):
        approve(ask("waiver", amount_fen=100))

        assert [action for action in audit() if "approv" in action or "waive" in action] == [
            "approval_requested",
            "bill_waived",
            "approval_approved",
        ]

    @pytest.mark.parametrize("step", ["approve", "reject"])
    def test_only_with_the_permission(self, services, ask, step):
        with pytest.raises(NotAllowed):
            getattr(services.money_decisions, step)(
                actor=actor_without(Permission.APPROVE_MONEY_OUT),
                request_id=ask("waiver", amount_fen=1),
                note="不",
            )


class TestAsking:
    def test_twice_the_same_waits_for_the_first(self, ask):
        ask("waiver", amount_fen=1)

        with pytest.raises(RequestPending):
            ask("waiver", amount_fen=2)

    def test_an_unpublished_bill_is_not_there(self, ask, database):
        database.do("UPDATE bill SET state = 'pending_review', published_at = NULL")

        with pytest.raises(NotFound):
            ask("waiver", amount_fen=1)

    @pytest.mark.parametrize("more", [{"amount_fen": 0}, {"amount_fen": -5}, {"reason": " "}])
    def test_what_makes_no_sense(self, ask, more):
        with pytest.raises(InvalidInput):
            ask("waiver", **({"amount_fen": 1} | more))

    def test_a_payee_must_be_named(self, services, scene):
        with pytest.raises(InvalidInput) as refusal:
            services.money_requests.request_prepaid_refund(
                actor=scene.asker,
                account_id=1,
                amount_fen=1,
                payout=Payout("bank_transfer", "", "123"),
                reason="x",
            )
        assert set(refusal.value.fields) == {"payee_name", "payee_phone", "voucher_no"}

    @pytest.mark.parametrize("kind", ["waiver", "write_off", "late_fee_waiver", "adjustment"])
    def test_only_with_the_permission(self, ask, kind):
        more = {} if kind == "write_off" else {"amount_fen": 1}
        with pytest.raises(NotAllowed):
            ask(kind, actor=actor_without(Permission.REQUEST_MONEY_OUT), **more)

    def test_only_staff_ask(self, ask):
        somebody = replace(actor_without(None), kind=ActorKind.SYSTEM)

        with pytest.raises(NotAllowed, match="员工"):
            ask("waiver", actor=somebody, amount_fen=1)

    def test_every_kind_can_be_carried_out(self):
        assert set(_ACTS) == set(ApprovalKind)
