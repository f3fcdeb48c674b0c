"""The review: what differs from a house's last bill, and ticks that mean what was seen."""

from datetime import date
from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.errors import NotAllowed, NotFound
from services.bills.findings import (
    FindingKind,
    FindingsChanged,
    FindingsNotTicked,
    ReviewerIsMaker,
)
from services.fees.checks import NewPrice
from tests import factories
from tests.factories import actor_without

SEPTEMBER = date(2026, 9, 1)
OCTOBER = date(2026, 10, 1)


@pytest.fixture
def find(services, desk):
    """Findings of a batch as {(kind, rows)}."""

    def find(batch_id):
        found = services.bill_findings.list_findings(actor=desk.reviewer, batch_id=batch_id)
        return {(one.kind, one.row_count) for one in found}

    return find


@pytest.fixture
def rows(services, desk, item_id):
    def rows(batch_id, kind, **more):
        return services.bill_findings.list_rows(
            actor=desk.reviewer, batch_id=batch_id, kind=kind, fee_item_id=item_id, **more
        )

    return rows


@pytest.fixture
def tick(services, desk, item_id):
    def tick(batch_id, kind, row_count, actor=desk.reviewer):
        services.bill_findings.tick(
            actor=actor, batch_id=batch_id, kind=kind, fee_item_id=item_id, row_count=row_count
        )

    return tick


@pytest.fixture
def item_id(make_item):
    return make_item(price="1")


@pytest.fixture
def house_ids(make_houses):
    return make_houses("100", "200", "300")


@pytest.fixture
def published(item_id, house_ids, approved, publish):
    """September is published; October can be compared with it."""
    batch_id = approved(month=SEPTEMBER)
    publish(batch_id)
    return batch_id


class TestFindings:
    def test_a_first_run_has_nothing_to_compare_with(self, item_id, house_ids, generated, find):
        assert find(generated()) == set()

    def test_the_same_again_is_no_finding(self, published, generated, find):
        assert find(generated()) == set()

    def test_a_house_without_a_bill_before_is_new(
        self, published, make_houses, generated, find, rows
    ):
        make_houses("50")
        batch_id = generated()

        assert find(batch_id) == {(FindingKind.NEW, 1)}
        [row] = rows(batch_id, FindingKind.NEW)
        assert (row.before_fen, row.after_fen) == (None, 5000)

    def test_a_house_without_a_bill_now_is_missing(
        self, published, database, house_ids, generated, find, rows
    ):
        database.do("UPDATE house SET handover_date = '2027-01-01' WHERE id = :id", id=house_ids[0])
        batch_id = generated()

        assert find(batch_id) == {(FindingKind.MISSING, 1)}
        [row] = rows(batch_id, FindingKind.MISSING)
        assert (row.house_id, row.before_fen, row.after_fen) == (house_ids[0], 10000, None)

    def test_an_item_that_ended_is_missed_by_nobody(
        self, published, services, desk, item_id, generated, find
    ):
        services.fees.end_item(
            actor=desk.maker, fee_item_id=item_id, ends_before=OCTOBER, reason="停收"
        )

        assert find(generated()) == set()

    def test_a_house_that_cannot_be_charged_is_told_with_its_reason(
        self, published, database, house_ids, generated, find, rows
    ):
        database.do("UPDATE house SET handover_date = NULL WHERE id = :id", id=house_ids[0])
        batch_id = generated()

        assert find(batch_id) == {(FindingKind.NOT_CHARGED, 1)}
        assert rows(batch_id, FindingKind.NOT_CHARGED)[0].note == "没有交付日期，无法确定起费日"

    @pytest.mark.parametrize(("percent", "is_told"), [(19, True), (20, False), (21, False)])
    def test_a_change_above_the_limit(
        self, published, services, desk, database, item_id, generated, find, percent, is_told
    ):
        database.do("UPDATE community SET review_change_percent = :percent", percent=percent)
        database.do("UPDATE house SET billing_area = billing_area * 1.2")

        found = find(generated())

        assert ((FindingKind.CHANGED, 3) in found) == is_told
        assert (FindingKind.AREA_CHANGED, 3) in found

    def test_a_price_change_names_both_prices(
        self, published, services, desk, item_id, generated, find, rows
    ):
        services.fees.set_price(
            actor=desk.maker,
            fee_item_id=item_id,
            price=NewPrice(Decimal("1.1")),
            priced_from=date(2026, 10, 16),
        )
        batch_id = generated()

        assert find(batch_id) == {(FindingKind.PRICE_CHANGED, 3)}
        assert rows(batch_id, FindingKind.PRICE_CHANGED)[0].note == "1 → 1.1"

    def test_a_sold_house(self, published, database, house_ids, generated, find):
        with database.session() as session:
            house = session.get_one(factories.House, house_ids[0])
            factories.make_owner(session, house=house)
        database.do("UPDATE house_person SET person_until = '2026-10-10'")

        assert find(generated()) == {(FindingKind.OWNER_CHANGED, 1)}

    def test_a_bill_of_nothing(self, published, services, desk, database, item_id, generated, find):
        database.do("UPDATE fee_standard SET unit_price = 0.000001")

        assert (FindingKind.ZERO, 3) in find(generated())

    def test_bills_that_were_voided_are_no_last_bill(self, published, put_bill, generated, find):
        put_bill("voided")

        assert find(generated()) == {(FindingKind.NEW, 3)}

    def test_rows_come_in_pages(self, published, make_houses, generated, rows):
        new = make_houses("50", "60", "70")
        batch_id = generated()

        first = rows(batch_id, FindingKind.NEW, limit=2)
        rest = rows(batch_id, FindingKind.NEW, after_house_id=first[-1].house_id)
        assert [row.house_id for row in (*first, *rest)] == new

    def test_no_such_batch(self, services, desk):
        with pytest.raises(NotFound):
            services.bill_findings.list_findings(actor=desk.reviewer, batch_id=404)

    @pytest.mark.parametrize("step", ["list_findings", "list_rows"])
    def test_only_with_the_permission(self, services, step):
        more = {"kind": FindingKind.NEW, "fee_item_id": 1} if step == "list_rows" else {}
        with pytest.raises(NotAllowed):
            getattr(services.bill_findings, step)(
                actor=actor_without(Permission.VIEW_ESTATE), batch_id=1, **more
            )


class TestTick:
    @pytest.fixture
    def batch_id(self, published, make_houses, generated):
        make_houses("50")
        return generated()

    def test_without_it_nothing_is_approved(self, batch_id, approve, state):
        with pytest.raises(FindingsNotTicked) as refusal:
            approve(batch_id)

        assert "“本期新增”1 户" in refusal.value.message
        assert state(batch_id) == "pending_review"

    def test_with_it_the_batch_is_approved_and_it_is_on_record(
        self, batch_id, tick, approve, state, audit
    ):
        tick(batch_id, FindingKind.NEW, 1)
        tick(batch_id, FindingKind.NEW, 1)
        approve(batch_id)

        assert state(batch_id) == "approved"
        assert [facts["row_count"] for facts in audit("finding_ticked")] == [1, 1]

    def test_it_counts_only_for_what_was_seen(self, batch_id, tick, make_houses, generate, approve):
        tick(batch_id, FindingKind.NEW, 1)
        make_houses("60")
        generate(batch_id)

        with pytest.raises(FindingsNotTicked):
            approve(batch_id)

    def test_other_rows_of_the_same_number_are_others(
        self, batch_id, tick, database, services, desk, approve
    ):
        tick(batch_id, FindingKind.NEW, 1)
        database.do("UPDATE house SET billing_area = 55 WHERE billing_area = 50")
        services.regeneration.regenerate(actor=desk.maker, batch_id=batch_id)

        with pytest.raises(FindingsNotTicked):
            approve(batch_id)

    def test_another_number_than_the_reviewer_saw(self, batch_id, tick):
        with pytest.raises(FindingsChanged):
            tick(batch_id, FindingKind.NEW, 2)

    def test_a_finding_that_is_not_there(self, batch_id, tick):
        with pytest.raises(NotFound):
            tick(batch_id, FindingKind.ZERO, 0)

    def test_a_batch_that_is_not_under_review(self, batch_id, tick, approve):
        tick(batch_id, FindingKind.NEW, 1)
        approve(batch_id)

        with pytest.raises(NotFound):
            tick(batch_id, FindingKind.NEW, 1)

    def test_whoever_made_the_batch_does_not_confirm_its_findings(self, batch_id, tick, desk):
        with pytest.raises(ReviewerIsMaker):
            tick(batch_id, FindingKind.NEW, 1, actor=desk.maker)

    def test_only_with_the_permission(self, batch_id, tick):
        with pytest.raises(NotAllowed):
            tick(batch_id, FindingKind.NEW, 1, actor=actor_without(Permission.REVIEW_BILLS))
