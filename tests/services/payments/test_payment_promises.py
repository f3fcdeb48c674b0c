"""What `flask verify ledger` says when somebody changes refunds and suspense past the program."""

import pytest

from domain.refund_states import RefundState, SurplusPolicy
from services.pay_ports import ChannelRefund, RefundWord
from services.payments.settle import Verdict

NO_MORE = "每笔收款的退款（含处理中）不超过其金额"
PARTS = "每笔收款退款 = 其各部分之和，账单部分 = 冲回的分配"
PREPAID = "退款中的预存部分 = 其预存流水（失败的已退回）"
SUSPENSE = "暂存款的处理不超过暂存金额，退款的处理都有成功的退款"
ASKED = "处理中的退款都会再查询，结束的都不再查询"
DECIDED = "每笔收款退款都有两人批准的申请，或是限额内一人、重复缴费自动退回"
MARKS = "收据的退款和作废标记 = 成功的退款"


@pytest.fixture
def told(services, database):
    """Let the channel say a word of the newest refund."""

    def told(word):
        [row] = database.rows(
            "SELECT mchid, out_trade_no, refund_no FROM refund JOIN payment"
            " ON payment.id = payment_id ORDER BY refund.id DESC LIMIT 1"
        )
        services.refunds.take_word(ChannelRefund(channel="wechat", word=word, **row), request_id="")

    return told


@pytest.fixture
def story(services, payer, people, pay, settle, told, database):
    """Refund 1 took 10.00 of a bill, 2 failed, 3 gives a double payment back, 4 takes prepaid."""

    def refund(payment_id, amount_fen, **more):
        asked = services.payment_refund_requests.ask(
            actor=people["asker"],
            community_id=payer.community_id,
            payment_id=payment_id,
            amount_fen=amount_fen,
            reason="业主申请",
            **more,
        )
        services.money_decisions.approve(actor=people["manager"], request_id=asked.request_id)

    payment = pay(payer, topup_fen=800, topup_house_id=payer.house_id)
    settle(payment)
    refund(1, 1000, bill_id=payer.bill_ids[0])
    told(RefundWord.SUCCESS)
    refund(1, 300)
    told(RefundWord.CLOSED)
    database.do("UPDATE community SET surplus_policy = :refund", refund=SurplusPolicy.REFUND)
    assert settle(payment, number=2) is Verdict.IN_SUSPENSE
    told(RefundWord.SUCCESS)
    refund(1, 500)
    assert [row["state"] for row in database.rows("SELECT state FROM refund ORDER BY id")] == [
        RefundState.SUCCEEDED,
        RefundState.FAILED,
        RefundState.SUCCEEDED,
        RefundState.PROCESSING,
    ]


def test_what_was_done_keeps_every_promise(story, broken):
    assert broken() == {}


@pytest.mark.breaks_promises
@pytest.mark.parametrize(
    ("title", "sql"),
    [
        (NO_MORE, "UPDATE refund SET amount_fen = 99999 WHERE id = 4"),
        (NO_MORE, "UPDATE payment SET amount_fen = 1400 WHERE id = 1"),
        (PARTS, "UPDATE refund_part SET amount_fen = 1 WHERE refund_id = 4"),
        (PARTS, "DELETE FROM allocation WHERE refund_id = 1"),
        (PARTS, "UPDATE allocation SET refund_id = 4 WHERE refund_id = 1"),
        (PARTS, "UPDATE refund SET payment_id = 2 WHERE id = 1"),
        (PREPAID, "DELETE FROM prepaid_entry WHERE refund_id = 4"),
        (
            PREPAID,
            "UPDATE prepaid_entry SET refund_id = NULL WHERE refund_id = 2 AND amount_fen > 0",
        ),
        (SUSPENSE, "UPDATE suspense_resolution SET amount_fen = amount_fen + 1"),
        (SUSPENSE, "UPDATE suspense_resolution SET refund_id = 4"),
        (ASKED, "UPDATE refund SET query_at = NULL WHERE id = 4"),
        (ASKED, "UPDATE refund SET query_at = now() WHERE id = 1"),
        (DECIDED, "UPDATE refund SET approval_request_id = NULL WHERE id = 1"),
        (DECIDED, "UPDATE approval_request SET amount_fen = 999 WHERE id = 1"),
        (MARKS, "DELETE FROM receipt_mark"),
        (MARKS, "UPDATE receipt_mark SET amount_fen = 1"),
        (MARKS, "UPDATE receipt_mark SET refund_id = 4"),
    ],
)
def test_what_was_tampered_with_is_named(story, broken, tamper, title, sql):
    tamper(sql)

    assert title in broken()
