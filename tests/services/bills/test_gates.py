"""Gates: what somebody with the database's password changed is neither approved nor published."""

from datetime import date

import pytest

from domain.charges import ChargeMethod
from domain.shares import ShareBy
from services.bills.freshness import BatchStale
from services.bills.gates import BatchDoesNotAddUp
from services.fees.checks import NewFeeItem
from services.fees.pools import NewPool

OCTOBER = date(2026, 10, 1)
SEPTEMBER = date(2026, 9, 1)


@pytest.fixture
def stopped(approve, state, tick_all):
    """Look that a reviewed batch cannot be approved; gives the message that says why."""

    def stopped(batch_id):
        tick_all(batch_id)
        with pytest.raises(BatchDoesNotAddUp) as refusal:
            approve(batch_id)
        assert state(batch_id) == "pending_review"
        return refusal.value.message

    return stopped


@pytest.mark.breaks_promises
class TestLines:
    @pytest.fixture
    def batch_id(self, make_houses, make_item, generated):
        make_houses("100", "200")
        make_item(price="1")
        return generated()

    def test_a_bill_and_its_lines(self, batch_id, tamper, bills, stopped):
        bill = bills()[1]
        tamper("UPDATE bill_line SET amount_fen = 1 WHERE bill_id = :id", id=bill["id"])

        assert stopped(batch_id) == f"明细与账单金额不一致：{bill['bill_no']}"

    def test_a_bill_of_nothing_without_lines(self, batch_id, tamper, bills, stopped):
        bill = bills()[0]
        tamper("UPDATE bill SET amount_fen = 0 WHERE id = :id", id=bill["id"])
        tamper("DELETE FROM bill_line WHERE bill_id = :id", id=bill["id"])

        assert bill["bill_no"] in stopped(batch_id)

    def test_all_that_are_wrong_are_named(self, batch_id, tamper, bills, stopped):
        for bill in bills():
            tamper("UPDATE bill_line SET amount_fen = 1 WHERE bill_id = :id", id=bill["id"])

        assert all(bill["bill_no"] in stopped(batch_id) for bill in bills())

    def test_what_was_approved_is_looked_at_again_before_it_is_published(
        self, batch_id, approve, publish, tamper, bills, state
    ):
        approve(batch_id)
        tamper(
            "UPDATE bill_line SET amount_fen = amount_fen + 1 WHERE bill_id = :id",
            id=bills()[0]["id"],
        )

        with pytest.raises(BatchDoesNotAddUp, match=bills()[0]["bill_no"]):
            publish(batch_id)

        assert state(batch_id) == "approved"


class TestPools:
    @pytest.fixture
    def item_id(self, services, desk):
        return services.fees.add_item(
            actor=desk.maker,
            community_id=desk.community_id,
            item=NewFeeItem("GT", "公摊电费", ChargeMethod.SHARE, None, date(2020, 1, 1)),
        )

    @pytest.fixture
    def pool_id(self, services, desk, item_id):
        return services.share_pools.add(
            actor=desk.maker,
            community_id=desk.community_id,
            fee_item_id=item_id,
            month=OCTOBER,
            pool=NewPool(ShareBy.HOUSEHOLD, amount_fen=300),
        )

    @pytest.fixture
    def batch_id(self, pool_id, make_houses, generated):
        make_houses("1", "2", "3")
        return generated()

    def test_shares_that_add_up_are_approved(self, batch_id, approve, state):
        approve(batch_id)

        assert state(batch_id) == "approved"

    def test_another_amount_than_was_shared(self, batch_id, tamper, stopped):
        """Source: WPF's 60 yuan over a pool of 300."""
        tamper("UPDATE share_pool SET amount_fen = 240")

        assert stopped(batch_id) == ("公摊之和与公摊总额不一致：公摊电费（应 240 分，实 300 分）")

    def test_a_pool_that_was_withdrawn(self, batch_id, tamper, stopped):
        tamper("UPDATE share_pool SET state = 'cancelled'")

        assert "公摊电费（应 无 分，实 0 分）" in stopped(batch_id)

    @pytest.mark.breaks_promises
    def test_a_share_that_is_no_share_of_it(self, batch_id, tamper, bills, stopped):
        tamper(
            "UPDATE bill_line SET trace = (trace::jsonb || '{\"pool_id\": 404}')::json"
            " WHERE bill_id = :id",
            id=bills()[0]["id"],
        )

        assert "实 200 分" in stopped(batch_id)

    def test_a_house_that_joined_must_have_its_share_first(self, batch_id, make_houses, approve):
        make_houses("4")

        with pytest.raises(BatchStale):
            approve(batch_id)

    @pytest.mark.breaks_promises
    def test_a_share_that_went_missing(self, batch_id, tamper, bills, stopped):
        tamper("UPDATE bill SET state = 'cancelled' WHERE id = :id", id=bills()[0]["id"])

        assert "（应 300 分，实 200 分）" in stopped(batch_id)

    def test_nobody_bears_it(self, pool_id, generated, stopped):
        assert "（应 300 分，实 0 分）" in stopped(generated())


class TestOverlaps:
    @pytest.fixture
    def batch_id(self, make_houses, make_item, approved, publish, generated):
        make_houses("100")
        make_item(price="1")
        publish(approved(month=SEPTEMBER))
        return generated(month=OCTOBER)

    def test_periods_that_touch_do_not_overlap(self, batch_id, approve, state):
        approve(batch_id)

        assert state(batch_id) == "approved"

    def test_a_published_bill_that_reaches_into_the_period(
        self, batch_id, database, bills, stopped
    ):
        """Source: WPF incident A4."""
        earlier, later = bills()
        database.do("UPDATE bill SET period_until = '2026-10-02' WHERE id = :id", id=earlier["id"])

        assert stopped(batch_id) == (
            f"同一户同一项目的账期重叠：{later['bill_no']} 与 {earlier['bill_no']}"
        )

    @pytest.mark.breaks_promises
    @pytest.mark.parametrize("gone", ["cancelled", "voided"])
    def test_a_bill_that_is_gone_overlaps_nothing(
        self, batch_id, database, tick_all, approve, bills, state, gone
    ):
        database.do(
            "UPDATE bill SET period_until = '2026-10-02', state = :state WHERE id = :id",
            id=bills()[0]["id"],
            state=gone,
        )
        tick_all(batch_id)

        approve(batch_id)

        assert state(batch_id) == "approved"

    def test_one_off_charges_of_one_day_are_no_overlap(
        self, services, desk, make_houses, generated, approve, state
    ):
        (house_id,) = make_houses("1")
        item_id = services.fees.add_item(
            actor=desk.maker,
            community_id=desk.community_id,
            item=NewFeeItem("LS", "临时", ChargeMethod.ONE_OFF, None, date(2020, 1, 1)),
        )
        for amount_fen in (500, 700):
            services.one_offs.add(
                actor=desk.maker,
                community_id=desk.community_id,
                house_id=house_id,
                fee_item_id=item_id,
                charged_on=date(2026, 10, 9),
                amount_fen=amount_fen,
                source_document="BX",
            )
        batch_id = generated()

        approve(batch_id)

        assert state(batch_id) == "approved"


class TestAdjustments:
    @pytest.fixture
    def batch_id(self, services, desk, make_houses, make_item, approved, publish, bills, generated):
        """A batch that carries a credit note of 10.00 to September's bill of 100.00."""
        make_houses("100")
        make_item(price="1")
        publish(approved(month=SEPTEMBER))
        request_id = services.money_requests.request_adjustment(
            actor=desk.maker, bill_id=bills()[0]["id"], amount_fen=-1000, reason="多算面积"
        )
        services.money_decisions.approve(actor=desk.reviewer, request_id=request_id, note="")
        return generated(month=OCTOBER)

    @pytest.fixture
    def later(self, bills):
        return lambda: bills()[-1]

    def test_an_open_note_is_carried(self, batch_id, later, approve, state):
        approve(batch_id)

        assert (later()["amount_fen"], state(batch_id)) == (9000, "approved")

    @pytest.mark.breaks_promises  # the note is no longer what was approved
    @pytest.mark.parametrize(
        "change",
        [
            "state = 'cancelled'",
            "state = 'applied', applied_bill_id = of_bill_id",
            "amount_fen = -999",
            "amount_fen = -1001",
            "house_id = house_id + 404",
        ],
    )
    def test_a_note_that_is_not_what_it_was(self, batch_id, tamper, later, stopped, change):
        tamper(f"UPDATE bill_adjustment SET {change}")

        message = stopped(batch_id)

        assert message == f"调整单已用于其他账单或已撤销：{later()['bill_no']}"
        tamper("UPDATE bill_adjustment SET state = 'open', applied_bill_id = NULL")

    @pytest.mark.breaks_promises
    def test_a_note_that_is_not_there(self, batch_id, tamper, later, stopped):
        tamper("DELETE FROM bill_adjustment")

        assert later()["bill_no"] in stopped(batch_id)

    def test_one_that_exceeds_the_bill_counts_what_goes_to_prepaid(
        self, services, desk, batch_id, database, tick_all, approve, later, state
    ):
        database.do("UPDATE house SET billing_area = 5")
        services.regeneration.regenerate(actor=desk.maker, batch_id=batch_id)
        tick_all(batch_id)

        approve(batch_id)

        assert (later()["amount_fen"], state(batch_id)) == (0, "approved")
        [line] = database.rows(
            "SELECT amount_fen, trace FROM bill_line WHERE bill_id = :id AND kind = 'adjustment'",
            id=later()["id"],
        )
        assert (line["amount_fen"], line["trace"]["to_prepaid_fen"]) == (-500, 500)
