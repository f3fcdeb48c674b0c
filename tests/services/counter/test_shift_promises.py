"""What `flask verify ledger` says when somebody changes shifts past the program."""

import pytest

from domain.payment_states import PaymentChannel

IN_A_SHIFT = "有班次以来，每笔柜台收款都在收款人自己的班次里，其他收款都不在"
COUNTED = "每个已日结的班次都有清点，未日结的都没有"
EXPECTED = "现金差额按班次可查：清点的应有金额 = 备用金 + 收 - 退"
REVERSED = "冲红由收款人以外的人办理，金额 = 该笔收款"


@pytest.fixture
def story(services, scene, take, close):
    """A shift with a reversal, counted; and one that goes on."""
    take(5000)
    wrong = take(700, channel=PaymentChannel.CARD)
    services.reversals.reverse(
        actor=scene.manager,
        community_id=scene.community_id,
        receipt_no=wrong.receipt_no,
        reason="重复录入",
    )
    close(5000)
    take(1000)


def test_what_was_done_keeps_every_promise(story, broken):
    assert broken() == {}


@pytest.mark.breaks_promises
@pytest.mark.parametrize(
    ("title", "sql"),
    [
        (IN_A_SHIFT, "UPDATE payment SET shift_id = NULL WHERE id = 3"),
        (IN_A_SHIFT, "UPDATE cashier_shift SET staff_id = 2 WHERE id = 2"),
        (IN_A_SHIFT, "UPDATE cashier_shift SET community_id = 9 WHERE id = 2"),
        (IN_A_SHIFT, "UPDATE payment SET channel = 'prepaid' WHERE id = 3"),
        (COUNTED, "DELETE FROM shift_count WHERE channel = 'cheque'"),
        (COUNTED, "UPDATE cashier_shift SET state = 'open', closed_at = NULL, staff_id = id + 1"),
        (COUNTED, "UPDATE cashier_shift SET state = 'closed', closed_at = now() WHERE id = 2"),
        (EXPECTED, "UPDATE payment SET shift_id = 2 WHERE id = 1"),
        (EXPECTED, "UPDATE shift_count SET expected_fen = 1 WHERE channel = 'cash'"),
        (REVERSED, "UPDATE refund SET staff_id = 1"),
        (REVERSED, "UPDATE refund SET shift_id = 2"),
    ],
)
def test_what_was_tampered_with_is_named(story, broken, tamper, title, sql):
    tamper(sql)

    assert title in broken()
