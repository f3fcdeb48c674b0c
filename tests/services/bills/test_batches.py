from datetime import UTC, date, datetime

import pytest

from domain.actors import Permission
from domain.bill_states import BatchCannotMove, BatchState
from domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from domain.periods import Span
from services.bills import batches
from services.bills.batches import ExceptionRow, ItemSum
from services.bills.drafting import PeriodNotOver
from services.bills.findings import ReviewerIsMaker
from services.bills.gates import BatchDoesNotAddUp
from tests import factories
from tests.factories import actor_without


@pytest.fixture
def send_back(services, desk):
    return lambda batch_id, reason="单价不对", **more: services.batches.send_back(
        **{"actor": desk.reviewer, "batch_id": batch_id, "reason": reason, **more}
    )


@pytest.fixture
def cancel(services, desk):
    return lambda batch_id, reason="重复", **more: services.batches.cancel(
        **{"actor": desk.maker, "batch_id": batch_id, "reason": reason, **more}
    )


@pytest.fixture
def scene(make_houses, make_item):
    """Two houses that owe one item."""
    make_houses("89.37", "100.24")
    make_item(code="WY")


class TestDraft:
    def test_without_a_choice_all_active_items_are_charged(self, draft, make_item, database, desk):
        active = [make_item(), make_item()]
        make_item(is_active=False)

        batch_id = draft(month=date(2026, 10, 17))

        row = database.rows("SELECT * FROM bill_batch")[0]
        assert (row["id"], row["state"]) == (batch_id, "draft")
        assert (row["period_from"], row["period_until"]) == (date(2026, 10, 1), date(2026, 11, 1))
        assert row["made_by_staff_id"] == desk.maker.id
        chosen = database.rows("SELECT fee_item_id FROM bill_batch_item ORDER BY fee_item_id")
        assert [item["fee_item_id"] for item in chosen] == active

    def test_chosen_items_only(self, draft, make_item, database):
        make_item()
        chosen = make_item()

        draft(fee_item_ids=[chosen, chosen])

        assert database.rows("SELECT fee_item_id FROM bill_batch_item") == [{"fee_item_id": chosen}]

    def test_it_is_on_record(self, draft, make_item, audit):
        item_id = make_item()

        draft()

        assert audit("batch_drafted") == [
            {"period": "2026-10-01 ~ 2026-10-31", "fee_item_ids": [item_id]}
        ]

    def test_an_inactive_item_is_refused(self, draft, make_item):
        make_item()
        item_id = make_item(is_active=False)

        with pytest.raises(NotFound):
            draft(fee_item_ids=[item_id])

    def test_an_item_of_another_community_is_refused(self, draft, make_item, database):
        make_item()
        with database.session() as session:
            strange = factories.make_item(session).id

        with pytest.raises(NotFound):
            draft(fee_item_ids=[strange])

        assert database.rows("SELECT * FROM bill_batch") == []

    def test_no_such_community(self, draft):
        with pytest.raises(NotFound):
            draft(community_id=404)

    def test_a_community_without_items_has_nothing_to_charge(self, draft):
        with pytest.raises(InvalidInput):
            draft()

    @pytest.mark.parametrize("month", [date(2026, 11, 1), date(2027, 1, 1)])
    def test_a_month_that_is_not_over_is_refused(self, draft, make_item, month):
        make_item()

        with pytest.raises(PeriodNotOver):
            draft(month=month)

    def test_a_month_ends_at_midnight_in_shanghai(self, draft, make_item, clock):
        make_item()
        clock.set(datetime(2026, 10, 31, 15, 59, 59, tzinfo=UTC))
        with pytest.raises(PeriodNotOver):
            draft()

        clock.set(datetime(2026, 10, 31, 16, 0, 0, tzinfo=UTC))

        assert draft() == 1

    def test_only_with_the_permission(self, draft, make_item, database):
        make_item()

        with pytest.raises(NotAllowed):
            draft(actor=actor_without(Permission.GENERATE_BILLS))

        assert database.rows("SELECT * FROM bill_batch") == []


class TestShow:
    @pytest.fixture
    def show(self, services, desk):
        return lambda batch_id, **more: services.batches.show(
            **{"actor": desk.maker, "batch_id": batch_id, **more}
        )

    def test_a_batch_for_review(self, show, generated, make_houses, make_item):
        make_houses("89.37", "100.24")
        make_houses("50", handover_date=None)
        make_item(name="物业费")
        make_item(name="垃圾费", charge_method="fixed", price="12")

        view = show(generated())

        assert view.state is BatchState.PENDING_REVIEW
        assert view.period == Span(date(2026, 10, 1), date(2026, 11, 1))
        assert (view.houses_done, view.houses_total) == (3, 3)
        assert view.items == (ItemSum("物业费", 2, 44558), ItemSum("垃圾费", 2, 2400))
        assert (view.bill_count, view.amount_fen) == (4, 46958)
        assert view.exception_count == 2
        assert view.exceptions == (
            ExceptionRow("2栋1单元103", "物业费", "没有交付日期，无法确定起费日"),
            ExceptionRow("2栋1单元103", "垃圾费", "没有交付日期，无法确定起费日"),
        )
        assert view.content_sha256 is None

    def test_after_approval_it_has_its_hash(self, show, approved, scene):
        assert len(show(approved()).content_sha256) == 64

    def test_cancelled_bills_do_not_count(self, show, generated, cancel, scene):
        batch_id = generated()
        cancel(batch_id)

        assert show(batch_id).items == ()

    def test_long_lists_of_exceptions_are_cut_and_counted(
        self, show, generated, make_houses, make_item, monkeypatch
    ):
        monkeypatch.setattr(batches, "EXCEPTIONS_SHOWN", 2)
        make_houses("50", "51", "52", handover_date=None)
        make_item()

        view = show(generated())

        assert (view.exception_count, len(view.exceptions)) == (3, 2)

    def test_no_such_batch(self, show):
        with pytest.raises(NotFound):
            show(404)

    def test_only_with_the_permission(self, show, generated, scene):
        with pytest.raises(NotAllowed):
            show(generated(), actor=actor_without(Permission.VIEW_ESTATE))


class TestApprove:
    def test_the_hash_of_everything_is_frozen(
        self, generated, approve, scene, database, desk, clock
    ):
        batch_id = generated()

        sha256 = approve(batch_id)

        row = database.rows("SELECT * FROM bill_batch")[0]
        assert (row["state"], row["content_sha256"]) == ("approved", sha256)
        assert (row["approved_by_staff_id"], row["approved_at"]) == (
            desk.reviewer.id,
            clock.now(),
        )

    def test_it_is_on_record(self, generated, approve, scene, audit):
        sha256 = approve(generated())

        assert audit("batch_approved") == [{"bill_count": 2, "amount_fen": 44558, "sha256": sha256}]

    def test_a_maker_may_not_review(self, generated, approve, scene, desk, state):
        batch_id = generated()

        with pytest.raises(ReviewerIsMaker):
            approve(batch_id, actor=desk.maker)

        assert state(batch_id) == "pending_review"

    def test_a_maker_may_where_the_community_says_so(
        self, generated, approve, scene, desk, database, state
    ):
        database.do("UPDATE community SET is_reviewer_other = false")
        batch_id = generated()

        approve(batch_id, actor=desk.maker)

        assert state(batch_id) == "approved"

    @pytest.mark.breaks_promises
    def test_a_bill_whose_lines_do_not_add_up_is_named(
        self, generated, approve, scene, tamper, bills, state
    ):
        batch_id = generated()
        bill = bills()[1]
        tamper(
            "UPDATE bill_line SET amount_fen = amount_fen + 1 WHERE bill_id = :id", id=bill["id"]
        )

        with pytest.raises(BatchDoesNotAddUp, match=bill["bill_no"]):
            approve(batch_id)

        assert state(batch_id) == "pending_review"

    @pytest.mark.breaks_promises
    def test_a_bill_without_lines_is_named(self, generated, approve, scene, tamper, bills):
        batch_id = generated()
        bill = bills()[0]
        tamper("DELETE FROM bill_line WHERE bill_id = :id", id=bill["id"])

        with pytest.raises(BatchDoesNotAddUp, match=bill["bill_no"]):
            approve(batch_id)

    @pytest.mark.parametrize("column", ["bill_count", "amount_fen"])
    @pytest.mark.breaks_promises
    def test_a_batch_that_is_not_the_sum_of_its_bills(
        self, generated, approve, scene, tamper, column
    ):
        batch_id = generated()
        tamper(f"UPDATE bill_batch SET {column} = {column} + 1")

        with pytest.raises(BatchDoesNotAddUp):
            approve(batch_id)

    @pytest.mark.breaks_promises
    def test_a_bill_that_went_missing(self, generated, approve, scene, tamper, bills):
        batch_id = generated()
        tamper("UPDATE bill SET state = 'cancelled' WHERE id = :id", id=bills()[0]["id"])

        with pytest.raises(BatchDoesNotAddUp):
            approve(batch_id)

    def test_no_such_batch(self, approve):
        with pytest.raises(NotFound):
            approve(404)

    def test_two_reviewers_at_once_approve_it_once(
        self, generated, approve, scene, together, audit
    ):
        batch_id = generated()

        results = together(*[lambda: approve(batch_id)] * 4)

        assert sum(isinstance(result, BatchCannotMove) for result in results) == 3
        assert audit().count("batch_approved") == 1

    def test_only_with_the_permission(self, generated, approve, scene, state):
        batch_id = generated()

        with pytest.raises(NotAllowed):
            approve(batch_id, actor=actor_without(Permission.REVIEW_BILLS))

        assert state(batch_id) == "pending_review"


class TestSendBack:
    def test_its_bills_are_cancelled_and_it_may_be_made_again(
        self, generated, send_back, generate, approve, scene, bills, state, audit
    ):
        batch_id = generated()

        send_back(batch_id, reason=" 单价不对 ")

        assert state(batch_id) == "rejected"
        assert {bill["state"] for bill in bills()} == {"cancelled"}
        assert audit("batch_rejected") == [{"bill_count": 0, "amount_fen": 0, "reason": "单价不对"}]
        assert generate(batch_id) == 2
        approve(batch_id)
        assert [bill["state"] for bill in bills()] == ["cancelled"] * 2 + ["pending_review"] * 2

    @pytest.mark.parametrize("reason", ["", "  \n"])
    def test_a_reason_is_needed(self, generated, send_back, scene, state, reason):
        batch_id = generated()

        with pytest.raises(InvalidInput) as refusal:
            send_back(batch_id, reason=reason)

        assert list(refusal.value.fields) == ["reason"]
        assert state(batch_id) == "pending_review"

    def test_what_is_approved_is_not_sent_back(self, approved, send_back, scene):
        with pytest.raises(BatchCannotMove):
            send_back(approved())

    def test_no_such_batch(self, send_back):
        with pytest.raises(NotFound):
            send_back(404)

    def test_only_with_the_permission(self, generated, send_back, scene, bills):
        batch_id = generated()

        with pytest.raises(NotAllowed):
            send_back(batch_id, actor=actor_without(Permission.REVIEW_BILLS))

        assert {bill["state"] for bill in bills()} == {"pending_review"}


class TestCancel:
    def test_a_draft_is_given_up(self, draft, cancel, scene, state):
        batch_id = draft()

        cancel(batch_id)

        assert state(batch_id) == "cancelled"

    def test_an_approved_one_too_and_another_batch_may_take_its_place(
        self, approved, cancel, generated, scene, bills, database
    ):
        batch_id = approved()

        cancel(batch_id)

        row = database.rows("SELECT * FROM bill_batch")[0]
        assert (row["bill_count"], row["amount_fen"], row["content_sha256"]) == (0, 0, None)
        generated()
        assert [bill["state"] for bill in bills()] == ["cancelled"] * 2 + ["pending_review"] * 2

    def test_what_is_published_stays(self, approved, publish, cancel, scene, bills):
        batch_id = approved()
        publish(batch_id)

        with pytest.raises(BatchCannotMove):
            cancel(batch_id)

        assert {bill["state"] for bill in bills()} == {"published"}

    def test_a_reason_is_needed(self, draft, cancel, scene):
        with pytest.raises(InvalidInput):
            cancel(draft(), reason=" ")

    def test_a_long_reason_is_cut_on_record(self, draft, cancel, scene, audit):
        cancel(draft(), reason="长" * 300)

        assert audit("batch_cancelled")[0]["reason"] == "长" * 200

    def test_no_such_batch(self, cancel):
        with pytest.raises(NotFound):
            cancel(404)

    def test_only_with_the_permission(self, draft, cancel, scene, state):
        batch_id = draft()

        with pytest.raises(NotAllowed):
            cancel(batch_id, actor=actor_without(Permission.GENERATE_BILLS))

        assert state(batch_id) == "draft"


STEPS = {
    "generate": {"draft", "generating", "failed", "rejected", "pending_review"},
    "approve": {"pending_review"},
    "send_back": {"pending_review"},
    "cancel": {"draft", "generating", "failed", "pending_review", "rejected", "approved"},
    "publish": {"approved"},
}


class TestStates:
    """Every step from every state: only those of the table are taken. Source: domain.md D4."""

    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize("old", BatchState)
    def test_a_step_is_taken_only_from_where_it_may(
        self, request, draft, scene, database, step, old
    ):
        batch_id = draft()
        database.do("UPDATE bill_batch SET state = :old, content_sha256 = ''", old=old)
        take = request.getfixturevalue(step)

        if old not in STEPS[step]:
            with pytest.raises(BatchCannotMove):
                take(batch_id)
            assert database.value("SELECT state FROM bill_batch") == old
        elif step in ("approve", "publish"):
            with pytest.raises(Conflict) as refusal:  # It may move; it holds not what it must.
                take(batch_id)
            assert not isinstance(refusal.value, BatchCannotMove)
        else:
            take(batch_id)
            assert (database.value("SELECT state FROM bill_batch") != old) != (
                (step, old) == ("generate", "pending_review")  # It fills gaps and waits again.
            )


class TestList:
    def test_newest_first_with_who_made_them(
        self, services, desk, make_item, make_houses, generated
    ):
        make_item(price="1")
        make_houses("50")
        first, second = generated(), generated(month=date(2026, 9, 1))

        rows = services.batches.list_batches(actor=desk.reviewer, community_id=desk.community_id)

        assert [(row.id, row.state, row.amount_fen) for row in rows] == [
            (second, "pending_review", 5000),
            (first, "pending_review", 5000),
        ]
        assert {row.made_by for row in rows} == {desk.maker.name}

    def test_only_with_the_permission(self, services, desk):
        with pytest.raises(NotAllowed):
            services.batches.list_batches(
                actor=actor_without(Permission.VIEW_ESTATE), community_id=desk.community_id
            )
