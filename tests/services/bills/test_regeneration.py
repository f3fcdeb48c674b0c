"""Correcting a batch under review: only what differs is made again."""

from decimal import Decimal

import pytest

from domain.actors import Permission
from domain.bill_states import BatchCannotMove
from domain.errors import InvalidInput, NotAllowed, NotFound
from services.bills import regeneration
from services.bills.generation import BatchBusy
from services.bills.regeneration import Regenerated
from tests.factories import actor_without


@pytest.fixture
def regenerate(services, desk):
    return lambda batch_id, **more: services.regeneration.regenerate(
        **{"actor": desk.maker, "batch_id": batch_id, **more}
    )


@pytest.fixture
def live(bills):
    return lambda: {
        bill["house_id"]: (bill["bill_no"][-6:], bill["amount_fen"])
        for bill in bills()
        if bill["state"] != "cancelled"
    }


@pytest.fixture
def house_ids(make_houses, make_item):
    make_item(price="1")
    return make_houses("100", "200", "300")


class TestRegenerate:
    def test_nothing_changed_nothing_moves(self, house_ids, generated, regenerate, live):
        batch_id = generated()
        before = live()

        assert regenerate(batch_id) == Regenerated(kept=3, changed=0, added=0, removed=0)
        assert live() == before

    def test_a_corrected_house_gets_another_bill_and_the_others_keep_theirs(
        self, services, desk, house_ids, generated, regenerate, live, state, database
    ):
        batch_id = generated()
        services.houses.change_measure(
            actor=desk.maker,
            house_id=house_ids[1],
            billing_area=Decimal(150),
            fee_coefficient=Decimal(1),
            holds_from=None,
            reason="录入错误",
        )

        assert regenerate(batch_id) == Regenerated(kept=2, changed=1, added=0, removed=0)

        assert live() == {
            house_ids[0]: ("000001", 10000),
            house_ids[1]: ("000004", 15000),
            house_ids[2]: ("000003", 30000),
        }
        assert state(batch_id) == "pending_review"
        batch = database.rows("SELECT bill_count, amount_fen FROM bill_batch")[0]
        assert tuple(batch.values()) == (3, 55000)

    def test_a_house_that_joined_is_added_and_one_that_left_is_removed(
        self, database, house_ids, make_houses, generated, regenerate, live
    ):
        batch_id = generated()
        (late,) = make_houses("50")
        database.do("UPDATE house SET handover_date = '2027-01-01' WHERE id = :id", id=house_ids[0])

        assert regenerate(batch_id) == Regenerated(kept=2, changed=0, added=1, removed=1)
        assert set(live()) == {house_ids[1], house_ids[2], late}

    def test_only_the_named_houses(self, database, house_ids, generated, regenerate, live):
        batch_id = generated()
        database.do("UPDATE house SET billing_area = billing_area + 1")

        done = regenerate(batch_id, house_ids=[house_ids[2]])

        assert done == Regenerated(kept=0, changed=1, added=0, removed=0)
        assert [amount for _, amount in live().values()] == [10000, 20000, 30100]

    def test_an_exception_that_was_mended_is_gone(
        self, database, house_ids, generated, regenerate, live
    ):
        database.do("UPDATE house SET handover_date = NULL WHERE id = :id", id=house_ids[0])
        batch_id = generated()
        assert database.value("SELECT count(*) FROM bill_exception") == 1
        database.do("UPDATE house SET handover_date = '2020-01-01'")

        assert regenerate(batch_id) == Regenerated(kept=2, changed=0, added=1, removed=0)
        assert database.value("SELECT count(*) FROM bill_exception") == 0

    def test_in_chunks_it_is_the_same(
        self, database, house_ids, generated, regenerate, live, monkeypatch
    ):
        monkeypatch.setattr(regeneration, "CHUNK_HOUSES", 1)
        batch_id = generated()
        database.do("UPDATE house SET billing_area = 111")
        seen = []

        done = regenerate(batch_id, progress=lambda *told: seen.append(told))

        assert done == Regenerated(kept=0, changed=3, added=0, removed=0)
        assert seen == [(1, 3), (2, 3), (3, 3)]

    def test_it_is_on_record(self, house_ids, generated, regenerate, audit):
        regenerate(generated())

        assert audit("batch_regenerated") == [{"kept": 3, "changed": 0, "added": 0, "removed": 0}]

    def test_what_is_approved_is_not_touched(self, house_ids, approved, regenerate):
        with pytest.raises(BatchCannotMove):
            regenerate(approved())

    def test_no_such_batch(self, regenerate):
        with pytest.raises(NotFound):
            regenerate(404)

    def test_a_house_of_elsewhere(self, house_ids, generated, regenerate):
        with pytest.raises(InvalidInput):
            regenerate(generated(), house_ids=[404])

    def test_not_while_another_run_goes_on(
        self, services, desk, unit_of_work, house_ids, generated, regenerate
    ):
        batch_id = generated()

        with (
            unit_of_work.exclusive(f"bills:{desk.community_id}"),
            pytest.raises(BatchBusy),
        ):
            regenerate(batch_id)

    def test_a_batch_that_is_cancelled_meanwhile_stays_cancelled(
        self, services, desk, house_ids, generated, regenerate, bills, database, monkeypatch
    ):
        """Source: a red team found 400 bills under review in a cancelled batch."""
        monkeypatch.setattr(regeneration, "CHUNK_HOUSES", 1)
        batch_id = generated()
        database.do("UPDATE house SET billing_area = 111")

        def cancel(done, _total):
            if done == 1:
                services.batches.cancel(actor=desk.maker, batch_id=batch_id, reason="撤回")

        with pytest.raises(BatchBusy):
            regenerate(batch_id, progress=cancel)

        assert {bill["state"] for bill in bills()} == {"cancelled"}

    def test_an_error_of_ours_is_noted_and_can_be_run_again(
        self, house_ids, generated, generate, regenerate, state, live
    ):
        batch_id = generated()

        def break_down(_done, _total):
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            regenerate(batch_id, progress=break_down)
        assert state(batch_id) == "failed"

        assert generate(batch_id) == 0
        assert state(batch_id) == "pending_review"
        assert len(live()) == 3

    def test_only_with_the_permission(self, house_ids, generated, regenerate):
        with pytest.raises(NotAllowed):
            regenerate(generated(), actor=actor_without(Permission.GENERATE_BILLS))


class TestOverlap:
    def test_a_period_that_a_bill_covers_in_part_is_an_exception(
        self, database, desk, generated, house_ids, bills
    ):
        """Source: WPF incident A4: two July bills of two houses."""
        generated()
        database.do("UPDATE bill SET period_from = '2026-09-15', period_until = '2026-10-15'")

        generated()

        assert len([bill for bill in bills() if bill["state"] != "cancelled"]) == 3
        why = database.rows("SELECT DISTINCT why FROM bill_exception")
        assert [row["why"] for row in why] == ["账期与已有账单部分重叠，请先作废原账单"]
